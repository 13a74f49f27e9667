"""What one seed makes happen: the jobs, how NapCat meets each send, and what befalls each replica when. Pure."""

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from gateway.sandbox.behaviour import BEHAVIOURS

Way = Literal["stream", "list", "http"]

REPLICAS = 3
JOBS = 5_000
RATES = {"account": (600, 1.0), "group": (40, 1.0), "user": (40, 1.0)}
"""How many sends of a scope in how many seconds, at the most."""
PATIENCE_MS = 1_500
"""How long a replica waits for an answer; one that was suspended meanwhile may have waited in vain for a good one."""
SECRET_WORD = "whispered"
"""In every text, and in the account's token: no log may have it."""

_GROUPS, _PERSONS = 42, 8
_HOT = 8  # groups that get so much that their own rate holds them up, not only the account's
_HOT_SHARE = 4  # times what an ordinary target gets
_BY_LIST = 4
_BY_HTTP = 2
_JOBS_BY_HTTP = 60  # to each such target: they are posted one after the other
_CARD_IDS = 100_000_000


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job, its place among all, how it comes in, and of how many parts it is."""

    number: int
    target: str
    way: Way
    parts: int

    @property
    def document(self) -> dict[str, Any]:
        """The job as its producer writes it; every part tells which it is."""
        kind, _, peer = self.target.partition(":")
        message = [_segment(self.number, part, self.parts) for part in range(self.parts)]
        return {"group_id" if kind == "group" else "user_id": peer, "message": message, "key": f"k{self.number}"}


@dataclass(frozen=True, slots=True)
class Encounter:
    """How NapCat meets one send: a behaviour of the stand-in with its options."""

    name: str
    options: dict[str, Any]

    @property
    def surely_not_sent(self) -> bool:
        """Whether NapCat says that nothing was sent, so that sending again is right."""
        return BEHAVIOURS[self.name].step == "reject"

    @property
    def proves_nothing(self) -> bool:
        """Whether the answer, if there is one, leaves open whether the message was sent."""
        return BEHAVIOURS[self.name].step in {"timeout", "answer", "reset", "hang"}


NORMAL = Encounter("normal", {})


@dataclass(frozen=True, slots=True)
class Blow:
    """What befalls a replica AFTER so many seconds: killed and started again, or suspended for a time.

    From then on NapCat reports its events to the replica of the number `reports_to`.
    """

    kind: Literal["kill", "suspend"]
    after: float
    lasts: float
    reports_to: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a seed decides; only the moment at which things meet is left to chance.

    encounters  of each target's sends, in the order of their arrival
    blows       to each replica, in their order
    bursts      how many jobs are pushed at once and how many seconds pass then, over and over
    """

    seed: int
    jobs: list[PlannedJob]
    encounters: dict[str, list[Encounter]]
    blows: list[list[Blow]]
    bursts: list[tuple[int, float]]


def make_plan(seed: int, count: int = JOBS) -> Plan:
    """Return what SEED makes happen to COUNT jobs: the same for the same seed."""
    chance = Random(seed)
    jobs = _jobs(chance, count)
    return Plan(seed, jobs, _encounters(chance, jobs), [_blows(chance) for _ in range(REPLICAS)], _bursts(chance))


def read_label(message: list[dict[str, Any]]) -> tuple[int, int]:
    """Return the number of the job and of the part that a message received by NapCat is."""
    data = message[0]["data"]
    if "text" not in data:
        return divmod(int(data["id"]) - _CARD_IDS, 100)
    number, _, part = data["text"].partition(" ")[0].partition(".")
    return int(number), int(part)


def _segment(number: int, part: int, parts: int) -> dict[str, Any]:
    """Return one segment that becomes a part of its own: of several, a text too long to share a message, or a card.

    NapCat reports all cards alike, so that what it says of one seems to fit another.
    """
    if part == 1:
        return {"type": "contact", "data": {"type": "qq", "id": str(_CARD_IDS + 100 * number + part)}}
    long = " " + "long " * 600 + "\n\n" if parts > 1 else ""
    return {"type": "text", "data": {"text": f"{number}.{part} {SECRET_WORD}{long}"}}


def _jobs(chance: Random, count: int) -> list[PlannedJob]:
    groups = [f"group:{number}" for number in range(1, _GROUPS + 1)]
    persons = [f"private:{number}" for number in range(1, _PERSONS + 1)]
    hot, listed, posted = groups[:_HOT], groups[-_BY_LIST:], persons[-_BY_HTTP:]
    others = [*groups, *persons[:-_BY_HTTP]]
    weights = [_HOT_SHARE if target in hot else 1 for target in others]
    targets = chance.choices(others, weights, k=count - len(posted) * _JOBS_BY_HTTP) + posted * _JOBS_BY_HTTP
    parts = chance.choices((1, 2, 3), (90, 6, 4), k=count)
    return [
        PlannedJob(number, target, "list" if target in listed else "http" if target in posted else "stream", of_parts)
        for number, (target, of_parts) in enumerate(zip(targets, parts, strict=True))
    ]


def _encounters(chance: Random, jobs: list[PlannedJob]) -> dict[str, list[Encounter]]:
    """Decide for each target how its first, second, … send is met; a few more than it should take."""
    sends: Counter[str] = Counter()
    for job in jobs:
        sends[job.target] += job.parts
    return {target: [_encounter(chance) for _ in range(count + count // 4)] for target, count in sends.items()}


def _encounter(chance: Random) -> Encounter:
    roll = chance.random() * 1000
    small = chance.randrange(10)
    misbehaviours: list[tuple[float, str, dict[str, Any]]] = [
        (10, "rate", {}),
        (6, "mute", {}),
        (3, "reset", {}),
        (3, "reset", {"deliver": True}),
        (6, "timeout_late", {"wait_ms": small, "late_ms": chance.randrange(400)}),
        (2, "timeout", {"wait_ms": small}),
        (2, "bad_gateway", {"deliver": True, "ms": small}),
        (1, "bad_gateway", {"ms": small}),
        (0.5, "hang", {"deliver": chance.random() < 0.5}),
    ]
    for per_mille, name, options in misbehaviours:
        if roll < per_mille:
            return Encounter(name, options)
        roll -= per_mille
    return Encounter("delay", {"ms": small})


def _blows(chance: Random) -> list[Blow]:
    """Decide what befalls one replica: three blows, of which the first may outlast every lease."""
    blows = []
    for nth in range(3):
        kind: Literal["kill", "suspend"] = "kill" if chance.random() < 0.5 else "suspend"
        longest = 12.0 if nth == 0 else 2.0
        blows.append(Blow(kind, chance.uniform(0.3, 2.0), chance.uniform(0.2, longest), chance.randrange(REPLICAS)))
    return blows


def _bursts(chance: Random) -> list[tuple[int, float]]:
    """Decide how many jobs a producer pushes at once, and how many seconds it then rests."""
    return [(chance.randrange(20, 400), chance.uniform(0.0, 0.5)) for _ in range(30)]
