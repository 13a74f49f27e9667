"""Replicas are killed and suspended at random moments while 5,000 jobs flow: every promise is kept, seed by seed."""

import asyncio

import pytest

from tests.chaos.evidence import Evidence
from tests.chaos.promises import PROMISES, Promise
from tests.chaos.run import run

SEEDS = (1, 4)


@pytest.fixture(scope="module", params=SEEDS, ids="seed {}".format)
def evidence(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """What a seed left behind; lived through once for all promises."""
    return asyncio.run(run(request.param, tmp_path_factory.mktemp("replicas"))).evidence


@pytest.mark.timeout(150)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_through_kills_and_suspensions(promise: Promise, evidence: Evidence) -> None:
    promise(evidence)
