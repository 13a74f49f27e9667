"""What `redis.url` says: one server, a master that sentinels know, or the masters of a cluster."""

import re
from typing import Annotated, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from pydantic import AfterValidator

Kind = Literal["server", "sentinel", "cluster"]

_ADVICE = (
    "write redis://host:port/0, rediss://… (TLS), unix:///path, redis+sentinel://host:port,host:port/service or "
    "redis+cluster://host:port,host:port (rediss+… for TLS)"
)
_QUOTING = (
    "an address is written host:port, several are parted by commas; / ? # @ and : in a password are written "
    "%2F %3F %23 %40 and %3A"
)
_KINDS: dict[str, Kind] = {"": "server", "sentinel": "sentinel", "cluster": "cluster"}
_PORTS = {"server": 6379, "sentinel": 26379, "cluster": 6379}
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%a-z]+\]|[^\s:\[\]/]+)(:(?P<port>[0-9]{1,5}))?")
_OF_SENTINELS = ("sentinel_username", "sentinel_password")


class Node(NamedTuple):
    """Where one server listens; an IPv6 address stands without its brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is written in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class RedisUrl(NamedTuple):
    """A `redis.url`, read.

    kind     one server (its address is `text` itself), a master that sentinels know, or a cluster
    nodes    the sentinels, or some nodes of the cluster
    service  the name under which the sentinels know the master, "" elsewhere
    rest     scheme, user and password before a server's address, and path and options behind it
    asking   the same for the sentinels, which have a password of their own or none
    """

    text: str
    kind: Kind
    nodes: tuple[Node, ...] = ()
    service: str = ""
    rest: tuple[str, str] = ("", "")
    asking: tuple[str, str] = ("", "")

    def of(self, node: Node) -> str:
        """Return the URL of one server of these."""
        return f"{self.rest[0]}{node}{self.rest[1]}"

    def of_sentinel(self, node: Node) -> str:
        """Return the URL of one of the sentinels."""
        return f"{self.asking[0]}{node}{self.asking[1]}"


def read_redis_url(text: str) -> RedisUrl:
    """Return what TEXT says; raises ValueError with one sentence that names the remedy, and no password."""
    scheme, _, _ = text.partition("://")
    if scheme == "unix":
        return RedisUrl(text, "server")
    match = re.fullmatch(r"(rediss?)(?:\+(sentinel|cluster))?", scheme)
    if match is None or "://" not in text:
        raise ValueError(_ADVICE)
    try:
        parts = urlsplit(text)
    except ValueError:  # its words may quote a password
        raise ValueError(_ADVICE) from None
    if parts.fragment or "@" in parts.path + parts.query:  # a password that ended early: what is before it is no host
        raise ValueError(_QUOTING)
    user, at, hosts = parts.netloc.rpartition("@")
    if match[2] is None:
        _insist_on_one(hosts, parts.path)
        return RedisUrl(text, "server")
    kind = _KINDS[match[2]]
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    of_sentinels = {name: options.pop(name) for name in _OF_SENTINELS if name in options}
    service, database = _path(kind, parts.path, options)
    nodes = tuple(_node(host, _PORTS[kind]) for host in hosts.split(","))
    query = "?" + urlencode(options) if options else ""
    return RedisUrl(
        text,
        kind,
        nodes,
        service,
        (f"{match[1]}://{user}{at}", f"/{database}{query}"),
        (f"{match[1]}://{_credentials(of_sentinels)}", f"/{query}"),
    )


def passwords_in(text: str) -> set[str]:
    """Return every password that a `redis.url` holds, as it is written and as it is meant."""
    parts = urlsplit(text)
    user = parts.netloc.rpartition("@")[0]
    found = {user.partition(":")[2]}
    found |= {value for name, value in parse_qsl(parts.query) if name.endswith("password")}
    return {spelled for password in found for spelled in (password, unquote(password))} - {""}


def _insist_on_one(hosts: str, path: str) -> None:
    """Refuse what is no address of one server."""
    if "," in hosts:
        raise ValueError(
            "several addresses are those of a cluster or of sentinels: write redis+cluster://… or redis+sentinel://…"
        )
    if hosts:
        _node(hosts, 6379)
    if re.fullmatch(r"/?[0-9]*", path) is None:
        raise ValueError("what follows the address is a database number, such as redis://host:port/0")


def _node(written: str, port: int) -> Node:
    match = _HOST.fullmatch(written)
    if match is None:
        raise ValueError(_QUOTING)
    number = int(match["port"] or port)
    if not 0 < number < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    return Node(match["host"].strip("[]"), number)


def _path(kind: Kind, path: str, options: dict[str, str]) -> tuple[str, str]:
    """Return the service and the database number that follow the addresses."""
    if kind == "cluster":
        if path.strip("/") or "db" in options:
            raise ValueError("a cluster has no database numbers: end the URL behind the addresses")
        return "", ""
    match = re.fullmatch(r"/([^/\s]+)(?:/([0-9]*))?", path)
    if match is None:
        raise ValueError(
            "the name of the master follows the sentinels: redis+sentinel://host:port,host:port/<service>, and "
            "/<number> behind it for a database"
        )
    return unquote(match[1]), match[2] or "0"


def _credentials(of_sentinels: dict[str, str]) -> str:
    words = {name.removeprefix("sentinel_"): value for name, value in of_sentinels.items()}
    if not words:
        return ""
    quoted = urlencode({"u": words.get("username", ""), "p": words.get("password", "")}).replace("+", "%20")
    user, _, password = quoted.partition("&")
    return f"{user[2:]}:{password[2:]}@"


def _checked(text: str) -> str:
    if text:
        read_redis_url(text)
    return text


RedisAddress = Annotated[str, AfterValidator(_checked)]
"""A `redis.url` that can be read, or none."""
