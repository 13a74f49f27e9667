"""One seed, lived through: three replicas on one Redis, jobs by every way in, and blows at random moments."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from gateway.sandbox.napcat import StandIn
from gateway.sandbox.process import GatewayProcess
from tests.chaos.evidence import Evidence
from tests.chaos.plan import JOBS, PATIENCE_MS, RATES, REPLICAS, SECRET_WORD, Blow, Plan, make_plan
from tests.chaos.traffic import all_ended, evidence_of, post_all, push_all
from tests.world import SECRET, Tail, world

_RETRY = {"retcode": 200, "verdict": "retry"}
SETTINGS: dict[str, Any] = {
    "limits": {scope: [f"{count}/{period}s"] for scope, (count, period) in RATES.items()},
    "delivery": {
        # The shortest there are: with them a lease lasts 6.5 s.
        "timeout": "1s",
        "slack": f"{PATIENCE_MS - 1_000}ms",
        "settle_for": "500ms",
        "rules": [
            {**_RETRY, "name": "too_fast", "result": 299, "waits": ["30ms"] * 6},
            # Timeouts are made up here, and no sign that the account is about to be banned.
            {"name": "no_confirmation", "kind": "timeout", "verdict": "unknown"},
            {**_RETRY, "name": "muted", "result": 120, "effect": "park", "hold": "150ms", "spends": False},
        ],
    },
    "results": {"stream": 1_000_000},
    "log": {"format": "json", "level": "info"},
}
_IN_FLIGHT = 40  # of the account: what a dead replica had in flight keeps its places until its leases lapse
_ENDED_WITHIN = 120.0


@dataclass(frozen=True, slots=True)
class Run:
    """What a seed came to, and how long it took."""

    plan: Plan
    evidence: Evidence
    seconds: float

    def __str__(self) -> str:
        """Tell it in one line."""
        evidence = self.evidence
        endings = [finals[-1] if (finals := evidence.finals(job)) else None for job in evidence.jobs]
        states = Counter(receipt.state if receipt else "not ended" for receipt in endings)
        corrected = sum(bool(receipt and receipt.corrected) for receipt in endings)
        badly = sum(arrival.met.name != "delay" for arrival in evidence.arrivals)
        lapsed = sum(
            r.code == "lease_lapsed" and r.state == "unknown" for all_of in evidence.receipts.values() for r in all_of
        )
        blows = Counter(blow.kind for some in self.plan.blows for blow in some)
        return (
            f"seed {self.plan.seed}: {len(evidence.jobs)} jobs, "
            + "".join(f"{number} {state}, " for state, number in sorted(states.items()))
            + f"{corrected} corrected; {len(evidence.arrivals)} sends, {badly} met badly; "
            f"{blows['kill']} kills, {blows['suspend']} suspensions, {lapsed} leases lapsed; {self.seconds:.1f} s"
        )


async def run(seed: int, folder: Path, transport: str = "http", count: int = JOBS) -> Run:
    """Live through SEED with COUNT jobs, NapCat being reached by TRANSPORT; FOLDER has their logs afterwards."""
    plan, began = make_plan(seed, count), time.monotonic()
    async with world(folder, transport) as made:
        for target, encounters in plan.encounters.items():
            for encounter in encounters:
                made.napcat.behave(target, encounter.name, 1, **encounter.options)
        account = made.account(max_in_flight=_IN_FLIGHT, token=SECRET_WORD)
        replicas = await asyncio.gather(*(made.process(accounts=[account], **SETTINGS) for _ in range(REPLICAS)))
        async with asyncio.TaskGroup() as group:
            group.create_task(push_all(made, plan.jobs, plan.bursts))
            group.create_task(post_all([replica.url for replica in replicas], plan.jobs, Random(seed)))
            for number, blows in enumerate(plan.blows):
                group.create_task(_suffer(replicas, number, blows, made.napcat))
        tail = Tail(made.clients)
        await all_ended(tail, plan.jobs, _ENDED_WITHIN)
        codes = await asyncio.gather(*(replica.stop() for replica in replicas))
        evidence = await evidence_of(made, plan.jobs, tail, RATES, plan.encounters)
        left = {
            **evidence.left,
            "replicas that did not stop in order": sum(code != 0 for code in codes),
            "logs that tell a text or a token": sum(SECRET_WORD in one.log.read_text() for one in replicas),
        }
    return Run(plan, replace(evidence, left=left), time.monotonic() - began)


async def _suffer(replicas: Sequence[GatewayProcess], number: int, blows: Sequence[Blow], napcat: StandIn) -> None:
    """Deal BLOWS to the replica of this NUMBER, one after the other; it runs in the end."""
    replica = replicas[number]
    for blow in blows:
        await asyncio.sleep(blow.after)
        napcat.report_to(f"{replicas[blow.reports_to].url}/napcat/main/events", SECRET)
        if blow.kind == "kill":
            await replica.kill()
            await replica.start()
        else:
            replica.send_signal(signal.SIGSTOP)
            await asyncio.sleep(blow.lasts)
            replica.send_signal(signal.SIGCONT)
