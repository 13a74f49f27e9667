"""The scripts fit into what Lua and Redis can hold."""

import pytest

from gateway.store.scripts.source import SCRIPTS, source_of
from tests.world import World

ROOM = 8  # names that one more thing may need


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_that_ends_jobs_says_how_long_they_are_kept(script: str) -> None:
    text = source_of(script)
    assert text.count("KEEP, LENGTH =") == text.count("local KEEP, LENGTH\n")


@pytest.mark.parametrize("script", SCRIPTS)
async def test_a_script_leaves_room_for_more_names(world: World, script: str) -> None:
    """Lua knows 200 at once in one script; a script beyond that is found out when Redis first runs it."""
    names = "local " + ", ".join(f"name{number}" for number in range(ROOM))
    body, begin, reply = source_of(script).rpartition("\nreturn")
    await world.clients.commands.script_load(f"{body}\n{names}{begin}{reply}")
