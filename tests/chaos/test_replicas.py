"""Replicas are killed and suspended at random moments while 5,000 jobs flow: every promise is kept.

This is one seed of `python -m tests.chaos --seeds 20`.
"""

import asyncio

import pytest

from tests.chaos.evidence import Evidence
from tests.chaos.promises import PROMISES, Promise
from tests.chaos.run import run

SEED = 4


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """What the seed left behind; lived through once for all promises."""
    return asyncio.run(run(SEED, tmp_path_factory.mktemp("replicas"))).evidence


@pytest.mark.timeout(150)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_through_kills_and_suspensions(promise: Promise, evidence: Evidence) -> None:
    promise(evidence)
