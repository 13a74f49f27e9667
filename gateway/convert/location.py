"""Where a medium may be: which files and hosts of the outside a producer may name."""

import ipaddress
import ntpath
import posixpath
import re
from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from gateway.settings import Media

_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")
_AUTHORITY = re.compile(r"https?://[^/?#]*")
_NO_URL = "this is no URL; write http(s)://host/path"
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*")
_BRACKETS = re.compile(r"\[[^\]]*:[^\]]*\](:[0-9]*)?")
_OWN_NAMES = frozenset({"localhost6", "ip6-localhost", "ip6-loopback"})
_OWN_DOMAINS = (".localhost", ".localdomain", ".local", ".internal", ".lan", ".home.arpa")
_GLOBAL = ipaddress.ip_network("2000::/3")
_WIRE_SERVER = ipaddress.IPv4Address("168.63.129.16")  # a public address that only machines in Azure reach
_EMBEDDING = tuple(map(ipaddress.ip_network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")))
"""IPv6 networks whose last 32 bits are an IPv4 address: compatible, translated (SIIT) and NAT64."""
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")


def admit_url(url: str, media: Media) -> None:
    """Accept an http(s) URL whose host the settings allow; raise ValueError with reason and remedy.

    Only literal addresses are judged, in every spelling that NapCat's URL parser (WHATWG) understands; a name
    that resolves to a private address, or a redirect to one, is for the network of the NapCat host to stop.
    """
    if _NOT_IN_URL.search(url):
        raise ValueError("a URL has no blanks, control characters or backslashes; percent-encode them")
    authority = _AUTHORITY.match(url)
    if authority is None:
        raise ValueError(_NO_URL)
    _admit_authority(authority[0], media)


@lru_cache(maxsize=1024)
def _admit_authority(origin: str, media: Media) -> None:
    """Accept the part of a URL that says where it leads; few hosts serve many URLs, so the answer is kept."""
    try:
        parts = urlsplit(origin)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(_NO_URL) from None
    bracketed = "[" in parts.netloc
    if not _HOST.fullmatch(host) or (bracketed and not _BRACKETS.fullmatch(parts.netloc.rpartition("@")[2])):
        raise ValueError("the URL's host is not plain ASCII; write its name, or its xn-- form")
    host = host.rstrip(".")
    if not media.allow_private and _is_private(host):
        raise ValueError(
            "the URL names a private, loopback or link-local address; use a public one, or ask the operator "
            "for media.allow_private"
        )
    if not any(fnmatchcase(host, pattern.lower()) for pattern in media.hosts):
        raise ValueError("the URL's host is not allowed; ask the operator to add it to media.hosts")


def _is_private(host: str) -> bool:
    """Whether a host is certainly, or most likely, one of the inside: a name without a dot is no public one."""
    address = _address(host)
    if address is None:
        return "." not in host or host in _OWN_NAMES or host.endswith(_OWN_DOMAINS)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in network for network in _EMBEDDING):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None and address not in _GLOBAL:
            return True
        address = inner or address
    return not address.is_global or address.is_multicast or address == _WIRE_SERVER


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address a host spells literally, None for a name; raise ValueError for a broken address."""
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError("the URL's host is no IPv6 address; write it in full") from None
    labels = host.split(".")
    if not _NUMBER.fullmatch(labels[-1]):
        return None
    *leading, last = (_octets(label) for label in labels)
    if len(leading) > 3 or any(octet > 255 for octet in leading) or last >= 256 ** (4 - len(leading)):
        raise ValueError("the URL's host is no IPv4 address; write four numbers from 0 to 255")
    return ipaddress.IPv4Address(sum(octet << 8 * (3 - i) for i, octet in enumerate(leading)) + last)


def _octets(label: str) -> int:
    """Read one number of an IPv4 address as URL parsers do (0x hexadecimal, 0 octal); 2^32 when it is none."""
    try:
        if _NUMBER.fullmatch(label[:25]):
            return int(label[2:] or "0", 16) if label[1:2] == "x" else int(label, 8 if label[0] == "0" else 10)
    except ValueError:
        pass
    return 2**32


def admit_path(path: str, media: Media) -> None:
    """Accept a path or `file://` URI of the NapCat host under an allowed root; raise ValueError with the remedy.

    `file://D:/a`, `file:///D:/a` and `file:///a` are what NapCat reads (napcat-common, file.ts: it cuts off
    `file://` and percent-decodes); a bare path it takes as it is.
    """
    if path[:7].lower() == "file://":
        path = _decoded(path[7:])
    if not path.isprintable():
        raise ValueError("a path has no control characters; rename the file")
    if any(".." in step and not step.strip(". ") for step in re.split(r"[\\/]", path)):
        raise ValueError("a path may not contain ..; write where the file is")
    normal = _normal(path)
    if normal is None:
        raise ValueError(
            "this is no URL and no absolute path; write http(s)://…, base64://…, or file:///folder/name under a "
            "folder in media.file_roots"
        )
    if any(_holds(root, normal) for root in filter(None, map(_normal, media.file_roots))):
        return
    raise ValueError(
        "files of the NapCat host are allowed only under the folders in media.file_roots; ask the operator to "
        "add the folder, or give a URL or base64://"
    )


def _decoded(path: str) -> str:
    if BAD_ESCAPE.search(path):
        raise ValueError("a file:// path is percent-encoded; write % as %25")
    try:
        path = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("a file:// path is percent-encoded UTF-8; this one is not UTF-8") from None
    return path[1:] if _WINDOWS.match(path[1:]) else path


def _normal(path: str) -> str | None:
    """Return the one spelling of an absolute path, else None; `//host` is a network share to Windows."""
    if path.startswith("/"):
        return None if path[1:2] in ("/", "\\") else posixpath.normpath(path)
    if _WINDOWS.match(path):
        return ntpath.normcase(ntpath.normpath(path))
    return None


def _holds(root: str, path: str) -> bool:
    separator = "/" if root.startswith("/") else "\\"
    return path.startswith(root.removesuffix(separator) + separator)
