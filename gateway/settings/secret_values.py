"""Every secret that the settings hold, for who has to keep them out of what is written."""

from collections.abc import Iterator

from pydantic import BaseModel, SecretStr

from gateway.settings.redis_url import passwords_in
from gateway.settings.settings import Settings


def secrets_of(settings: Settings) -> set[str]:
    """Return the tokens, signing secrets and passwords in SETTINGS; of API keys only hashes are there."""
    return {*_secrets_in(settings), *passwords_in(settings.redis.url)} - {""}


def _secrets_in(value: object) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            for _, inner in value:
                yield from _secrets_in(inner)
        case list() | tuple():
            for inner in value:
                yield from _secrets_in(inner)
