"""A look at the Redis of the settings from outside: it changes nothing, and is over when it has looked."""

from collections.abc import AsyncIterator

from redis.asyncio import Redis

from gateway.model.errors import StoreUnavailable
from gateway.model.finding import Finding
from gateway.settings import Intake, Settings
from gateway.store.client import connected, translated
from gateway.store.fitness import judged
from gateway.store.format import unknown
from gateway.store.keys import Keys
from gateway.store.unusable import unusable


async def examine(settings: Settings) -> list[Finding]:
    """Return what is to be said of each server behind `redis.url` and of the sources there; also when none answers.

    Raises SettingsInvalid for an address that is none.
    """
    try:
        async with connected(settings.redis.url) as clients:
            found = await judged(clients, settings.redis)
            if any(finding.refuses for finding in found):
                return found  # what lies in a server that cannot be used does not matter
            found += [one async for one in _sources(clients.commands, settings.intake)]
            accounts = [account.name for account in settings.accounts]
            found += [one async for one in unknown(clients, Keys(settings.redis.prefix), accounts)]
            return found
    except StoreUnavailable as error:
        return [unusable(error)]


async def _sources(redis: Redis, intake: Intake) -> AsyncIterator[Finding]:
    """Yield a fault for each source whose key holds something else."""
    for kind, names in (("stream", intake.streams), ("list", intake.lists)):
        for position, name in enumerate(names):
            with translated():
                answer = await redis.type(name)
            found = answer.decode() if isinstance(answer, bytes) else answer
            if found not in {"none", kind}:
                yield Finding(
                    "fault",
                    f"intake.{kind}s.{position}",
                    f"{name} is a {found} in Redis, and no {kind}",
                    "move that key away, or name another source",
                )
