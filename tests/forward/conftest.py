"""Fixtures for what comes from NapCat."""

from collections.abc import AsyncIterator

import pytest

from tests.forward.listening import Peer


@pytest.fixture(name="peer")
async def _peer() -> AsyncIterator[Peer]:
    async with Peer().serve() as peer:
        yield peer
