"""What it costs to convert a job, in microseconds of CPU, beside one `json.dumps` of the same message.

And what the whole way to the door of its lane costs: from the bytes of a stream's entry to a `Submission`. How cheap
that is for what most jobs are is bounded, by the best round: all other rounds tell of other programs, too.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from gateway.convert import convert
from gateway.intake.preparation import prepare
from gateway.model.job import Job
from gateway.settings import Account, Settings
from tests.bench.report import Bound, Report, spread

_ACCOUNT = Account(name="main", endpoint="http://127.0.0.1:3000")
_TOKEN = "A" * 22
_KEYED = "a key, and text, at and face"
_MUST_US = {"one plain text": 14.0, _KEYED: 25.0}
"""Best CPU from the bytes of an entry to its submission."""


def _segment(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": data}


def _mixed(count: int) -> list[dict[str, Any]]:
    """Return text, at, face, image and text in turn, each different from the others."""
    message = []
    for number in range(0, count, 5):
        message += [
            _segment("text", text=f"第 {number} 段，some words "),
            _segment("at", qq=str(10_000 + number)),
            _segment("face", id=number % 200),
            _segment("image", file=f"https://example.com/{number}.png", summary="[picture]"),
            _segment("text", text=f" 以及更多文字 {number}"),
        ]
    return message


MESSAGES: dict[str, dict[str, Any]] = {
    "one plain text": {
        "message": "Good morning, this is job number 1 of the many that are posted to see how fast it is."
    },
    _KEYED: {
        "key": "order-1",
        "message": [
            _segment("text", text="Good morning, this is job number 1"),
            _segment("at", qq="10001"),
            _segment("face", id="66"),
        ],
    },
    "30 segments, mixed": {"message": _mixed(30)},
    "30 texts": {"message": [_segment("text", text=f"line {number}\n") for number in range(30)]},
    "30 images (2 parts)": {
        "message": [_segment("image", file=f"https://example.com/{number}.png") for number in range(30)]
    },
    "a CQ string of 30 segments": {
        "message": "".join(f"第 {number} 段[CQ:face,id={number}]" for number in range(15)),
        "format": "cq",
    },
    "a forward of 30 nodes": {
        "message": [_segment("node", user_id="10001", nickname="n", content=f"line {number}") for number in range(30)]
    },
    "a text of 10,000 characters (3 parts)": {"message": "好的，这是一句话。" * 1_111},
}


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument("--rounds", type=int, default=15)


async def measure(arguments: argparse.Namespace) -> Report:
    """Measure each kind of message in rounds of about 10 ms."""
    settings = Settings(accounts=[_ACCOUNT])
    delivery, media = settings.delivery, settings.media
    report = Report(
        "convert",
        f"a job to its calls, {arguments.rounds} rounds of 10 ms",
        ("message", "÷ json.dumps", "convert µs", "json.dumps µs", "entry to submission µs"),
    )
    for name, fields in MESSAGES.items():
        raw = json.dumps({"group_id": "123456", **fields}).encode()
        job = Job.model_validate({"group_id": "123456", **fields})
        costs = spread(_costs(lambda job=job: convert(job, _ACCOUNT, delivery, media), arguments.rounds))  # type: ignore[misc]
        floor = spread(_costs(lambda job=job: json.dumps(job.message), arguments.rounds))  # type: ignore[misc]
        whole = spread(_costs(lambda raw=raw: prepare(raw, settings, _TOKEN, entry="1-0"), arguments.rounds))  # type: ignore[misc]
        report.rows.append((name, costs.median / floor.median, costs, floor, whole))
        if name in _MUST_US:
            report.bounds.append(Bound(f"{name}: entry to submission at best, µs", whole.least, _MUST_US[name]))
    return report


def _costs(call: Callable[[], object], count: int) -> list[float]:
    """Return microseconds of CPU a call, one for each round of about 10 ms."""
    began = time.process_time()
    call()
    times = max(10, int(0.01 / (time.process_time() - began)))
    rounds = []
    for _ in range(count):
        began = time.process_time()
        for _ in range(times):
            call()
        rounds.append((time.process_time() - began) / times * 1e6)
    return rounds
