"""What keeps secrets out of words that are written down."""

import re
from collections.abc import Iterable

_URL = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{0,30}://)(?:[^\s/?#@]*@)?([^\s?#]*)([?#]\S*)?")


class Veil:
    """Takes known secrets out of words, and from each URL who logs in there and its query."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Show SECRETS as `***`."""
        self._secrets = sorted((secret for secret in secrets if secret), key=len, reverse=True)

    def __call__(self, words: str) -> str:
        """Return WORDS without them."""
        if "://" in words:
            words = _URL.sub(lambda url: f"{url[1]}{url[2]}{'?…' if url[3] else ''}", words)
        for secret in self._secrets:
            words = words.replace(secret, "***")
        return words
