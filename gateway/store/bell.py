"""The bell: tells every replica that an account has new work."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from gateway.model.errors import StoreUnavailable
from gateway.store.client import Clients, answered_within, translated
from gateway.store.keys import Keys

_ANSWER = 5.0  # seconds Redis has to answer
_SILENCE = 15.0  # seconds without a ring after which the connection is asked whether it lives


class Bell:
    """A pub/sub channel on which a ring may get lost.

    So this process hears its own rings directly, and takes every (re)subscription for a ring.
    """

    def __init__(self, clients: Clients, keys: Keys, wakes: Mapping[str, Callable[[], None]]) -> None:
        """Ring and listen on the channel of KEYS; WAKES says whom to wake for which account."""
        self._clients = clients
        self._ringer = secrets.token_hex(4)  # goes with each ring: one's own is heard already
        self._channel = keys.bell
        self._wakes = wakes

    async def ring(self, accounts: Sequence[str]) -> None:
        """Tell every replica that these accounts have work; others look by themselves when the ring gets lost."""
        self.wake(accounts)
        with suppress(StoreUnavailable), translated():
            for account in accounts:
                await self._clients.commands.publish(self._channel, f"{account} {self._ringer}")

    def wake(self, accounts: Iterable[str]) -> None:
        """Let this process look at these accounts now; nobody else is told."""
        for account in accounts:
            if wake := self._wakes.get(account):
                wake()

    async def listen(self) -> None:
        """Wake whom a ring is for, until cancelled; raises StoreUnavailable when the connection is lost."""
        async with self._clients.blocking.pubsub() as pubsub:
            with translated():
                async with answered_within(_ANSWER):
                    await pubsub.subscribe(self._channel)
                while True:
                    message = await pubsub.get_message(timeout=_SILENCE)
                    if message is None:
                        async with answered_within(_ANSWER):
                            await pubsub.ping()
                        message = await pubsub.get_message(timeout=_ANSWER)
                    if message is None:
                        raise StoreUnavailable("Redis: the bell's connection is dead")
                    if message["type"] == "subscribe":
                        self.wake(self._wakes)
                    elif message["type"] == "message":
                        account, _, ringer = message["data"].decode("utf-8", "replace").partition(" ")
                        if ringer != self._ringer:
                            self.wake([account])
