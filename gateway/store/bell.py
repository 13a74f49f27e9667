"""The bell: tells every replica that an account has new work."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from gateway.model.errors import StoreUnavailable
from gateway.store.client import Clients, translated
from gateway.store.keys import Keys

_SILENCE = 15.0  # seconds without a ring after which the connection is asked whether it lives


class Bell:
    """A pub/sub channel on which a ring may get lost.

    So this process hears its own rings directly, and takes every (re)subscription for a ring.
    """

    def __init__(self, clients: Clients, keys: Keys, wakes: Mapping[str, Callable[[], None]]) -> None:
        """Ring and listen on the channel of KEYS; WAKES says whom to wake for which account."""
        self._clients = clients
        self._channel = keys.bell
        self._wakes = wakes

    async def ring(self, accounts: Sequence[str]) -> None:
        """Tell every replica that these accounts have work; others look by themselves when the ring gets lost."""
        for account in accounts:
            self._wake(account)
        with suppress(StoreUnavailable), translated():
            for account in accounts:
                await self._clients.commands.publish(self._channel, account)

    async def listen(self) -> None:
        """Wake whom a ring is for, until cancelled; raises StoreUnavailable when the connection is lost."""
        async with self._clients.blocking.pubsub() as pubsub:
            with translated():
                await pubsub.subscribe(self._channel)
                while True:
                    message = await pubsub.get_message(timeout=_SILENCE)
                    if message is None:
                        await pubsub.ping()
                        message = await pubsub.get_message(timeout=5.0)
                    if message is None:
                        raise StoreUnavailable("Redis: the bell's connection is dead")
                    if message["type"] == "subscribe":
                        for account in self._wakes:
                            self._wake(account)
                    elif message["type"] == "message":
                        self._wake(message["data"].decode())

    def _wake(self, account: str) -> None:
        if wake := self._wakes.get(account):
            wake()
