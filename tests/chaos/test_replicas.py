"""Replicas are killed and suspended at random moments while jobs flow: every promise is kept.

This is one seed of `python -m tests.chaos --seeds 20`, with half as many jobs.
"""

from pathlib import Path

import pytest

from tests.chaos.plan import JOBS
from tests.chaos.promises import broken
from tests.chaos.run import run

SEED = 4


@pytest.mark.timeout(300)
async def test_every_promise_is_kept_through_kills_and_suspensions(tmp_path: Path) -> None:
    assert broken((await run(SEED, tmp_path, count=JOBS // 2)).evidence) == []
