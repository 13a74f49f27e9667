"""The bell: tells every replica that an account has new work."""

from collections.abc import Callable, Mapping, Sequence

from gateway.store.client import Clients, translated
from gateway.store.keys import Keys


class Bell:
    """A pub/sub channel. A ring can get lost, so this process hears its own directly, and all when it (re)subscribes."""

    def __init__(self, clients: Clients, keys: Keys, wakes: Mapping[str, Callable[[], None]]) -> None:
        """Ring and listen on the channel of KEYS; WAKES says whom to wake for which account."""
        self._clients = clients
        self._channel = keys.bell
        self._wakes = wakes

    async def ring(self, accounts: Sequence[str]) -> None:
        """Tell every replica that these accounts have work."""
        for account in accounts:
            self._wake(account)
        with translated():
            for account in accounts:
                await self._clients.commands.publish(self._channel, account)

    async def listen(self) -> None:
        """Wake whom a ring is for, until cancelled."""
        async with self._clients.blocking.pubsub(ignore_subscribe_messages=True) as pubsub:
            with translated():
                await pubsub.subscribe(self._channel)
                for account in self._wakes:
                    self._wake(account)
                async for message in pubsub.listen():
                    self._wake(message["data"].decode())

    def _wake(self, account: str) -> None:
        if wake := self._wakes.get(account):
            wake()
