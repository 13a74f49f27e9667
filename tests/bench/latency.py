"""From a push to the request at the stub, at 200 jobs a second.

Jobs go to 1,000 groups in turn, one every 5 ms, whatever has become of those before. The time runs from right before
the XADD in this process to the moment the stub, in its own, had the whole request: reading, checking, admitting,
claiming and the way to the stub are in it. The first second counts for nothing, since the gateway's connections are
cold then.
"""

import argparse

from tests.bench import turns
from tests.bench.paced import Paced
from tests.bench.report import Bound, Report, percentile, spread
from tests.bench.world import world

_PER_SECOND = 200
_GROUPS = [str(number) for number in range(1, 1_001)]
_WARM_S = 1.0
_MUST_MS = {50: 3.0, 99: 12.0}


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--seconds", type=float, default=10.0, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)


async def measure(arguments: argparse.Namespace) -> Report:
    """Measure ROUNDS rounds on one gateway for each transport."""
    report = Report(
        "latency",
        f"{_PER_SECOND} jobs/s, {arguments.rounds} rounds of {arguments.seconds:.0f} s",
        ("transport", "p50 ms", "p99 ms", "worst ms", "own CPU µs a job"),
    )
    for transport in ("http", "ws"):
        rounds = []
        costs = []
        async with world(account={**turns.ACCOUNT, "transport": transport}) as here:
            await here.start()
            paced = Paced(here, _GROUPS, _PER_SECOND)
            await paced.push(_WARM_S)
            for _ in range(arguments.rounds):
                own = here.gateway_cpu()
                rounds.append(await paced.push(arguments.seconds))
                costs.append((here.gateway_cpu() - own) / len(rounds[-1]) * 1e6)
            arrived = {one.text: one.at for one in await paced.arrived(deadline=20)}
        late = [[(arrived[text] - paced.pushed[text]) * 1000 for text in texts] for texts in rounds]
        shares = {percent: spread([percentile(one, percent) for one in late]) for percent in _MUST_MS}
        report.rows.append((transport, *shares.values(), spread([max(one) for one in late]), spread(costs)))
        if transport == "http":
            report.bounds += [
                Bound(f"p{percent}, ms", shares[percent].median, must) for percent, must in _MUST_MS.items()
            ]
    return report
