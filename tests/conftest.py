"""Fixtures every test may use: the worlds are real, and end with their test."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.world import World, world


@pytest.fixture(name="transport")
def _transport() -> str:
    """How gateways reach NapCat; `TEST_TRANSPORT=ws` says so for all, and a module's own fixture for its tests."""
    return os.environ.get("TEST_TRANSPORT", "http")


@pytest.fixture(name="world")
async def _world(tmp_path: Path, transport: str) -> AsyncIterator[World]:
    async with world(tmp_path, transport) as made:
        yield made
