"""The bell: tells every replica that an account has new work."""

from collections.abc import Callable, Sequence

from gateway.store.client import Clients, translated
from gateway.store.keys import Keys


class Bell:
    """A pub/sub channel; a lost ring costs a second, never a job (every replica looks by itself, too)."""

    def __init__(self, clients: Clients, keys: Keys) -> None:
        """Ring and listen on the channel of KEYS."""
        self._clients = clients
        self._channel = keys.bell

    async def ring(self, accounts: Sequence[str]) -> None:
        """Tell every replica that these accounts have work."""
        with translated():
            for account in accounts:
                await self._clients.commands.publish(self._channel, account)

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Call HEARD with each account that is rung for, until cancelled."""
        async with self._clients.blocking.pubsub(ignore_subscribe_messages=True) as pubsub:
            with translated():
                await pubsub.subscribe(self._channel)
                async for message in pubsub.listen():
                    heard(message["data"].decode())
