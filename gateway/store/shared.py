"""A secret that all replicas of one Redis share, so that what one of them signed another one believes."""

import secrets
from contextlib import suppress
from typing import Any

from gateway.model.errors import StoreUnavailable
from gateway.store.client import Clients, translated
from gateway.store.keys import Keys

_BYTES = 32


async def shared_secret(clients: Clients, keys: Keys) -> bytes:
    """Return the secret of all replicas: 64 hex digits; made and kept in Redis when there is none yet.

    Where Redis does not tell it, or has none and takes no writes, it is this process' own until its end.
    """
    with suppress(StoreUnavailable), translated():  # what a full Redis or a replica has can be read all the same
        await clients.commands.set(keys.secret, secrets.token_hex(_BYTES), nx=True)
    kept: Any = None
    with suppress(StoreUnavailable), translated():
        kept = await clients.commands.get(keys.secret)
    return bytes(kept) if kept else secrets.token_hex(_BYTES).encode()
