"""Where a medium may be: which files and hosts of the outside a producer may name."""

import ntpath
import posixpath
import re
from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from gateway.model.address import is_inside, literal_address
from gateway.settings import Media

_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")
_AUTHORITY = re.compile(r"https?://[^/?#]*")
_NO_URL = "this is no URL; write http(s)://host/path"
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*")
_BRACKETS = re.compile(r"\[[^\]]*:[^\]]*\](:[0-9]*)?")
_OWN_NAMES = frozenset({"localhost6", "ip6-localhost", "ip6-loopback"})
_OWN_DOMAINS = (".localhost", ".localdomain", ".local", ".internal", ".lan", ".home.arpa")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


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
    address = literal_address(host)
    if address is None:
        return "." not in host or host in _OWN_NAMES or host.endswith(_OWN_DOMAINS)
    return is_inside(address)


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
