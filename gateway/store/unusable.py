"""What to do about a server that cannot be used, from what went wrong: pure."""

from gateway.model.errors import StoreUnavailable
from gateway.model.finding import Finding

_UNREACHED = (
    "start Redis there, set redis.url to a running Redis or Valkey, or leave redis.url empty for the embedded server"
)
_REMEDIES = (
    (("authenticat", "username-password"), "put the right user and password into redis.url"),
    (("nopermission",), "let the user of redis.url run every command on every key and channel (~* &* +@all)"),
    (("db index",), "write a database number that the server has, mostly 0 to 15"),
    (("no sentinel",), "see that the sentinels run, and let redis.url end in the name they have for the master"),
    (("clusterdown", "slotnotcovered"), "see `CLUSTER INFO` there: a master is missing, or slots belong to none"),
    (("loading",), "wait until it has read its data, then start again"),
    (("wrong_version_number", "ssl", "certificate"), "write redis:// for a server without TLS, rediss:// for one with"),
    (("protocol", "invalid response"), "set redis.url to a Redis or Valkey; something else listens there"),
)
"""What to do about a server that cannot be used, by a word of what went wrong."""


def unusable(error: StoreUnavailable) -> Finding:
    """Return the fault of a server that cannot be used, with the remedy that fits."""
    cause = error.__cause__
    words = f"{type(cause).__name__} {error}".lower()
    detail = str(error).rstrip(".")
    if "hello must be called" in words:  # what Redis says to who brings no password is two lines long
        detail = "Redis: it asks for a password"
    remedy = next((remedy for signs, remedy in _REMEDIES if any(sign in words for sign in signs)), _UNREACHED)
    return Finding("fault", "redis.url", detail, remedy, refuses=True)
