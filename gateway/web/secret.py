"""The secret of an API key: what its client sends, and what of it we keep."""

import hashlib
import secrets

_PREFIX = "gw_"  # by which people, and scanners of repositories, know what they have found


def new_secret() -> str:
    """Return a new secret of 256 random bits: `gw_` and 43 URL-safe characters."""
    return _PREFIX + secrets.token_urlsafe(32)


def sha256_of(secret: str) -> str:
    """Return what is stored of SECRET. A plain hash is enough for 256 random bits; for a pass phrase it is not."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
