"""What is a reason to worry, and what is not."""

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.monitor.account_reasons import of_account
from gateway.monitor.look import Look, Shared
from gateway.monitor.reasons import Reason, of_redis, of_sources
from gateway.store.overview import AccountNumbers, CallbackNumbers, Hold, Slowed, Unmatched, Window
from gateway.store.server import ServerNumbers
from gateway.store.sources import SourceNumbers

NOW = 1_700_000_010_000  # half a minute past


def numbers(*minutes: dict[str, int], **fields: Any) -> AccountNumbers:
    """Return what an account has where all is well, but for FIELDS; MINUTES say what happened, the latest first."""
    well: dict[str, Any] = {
        "now": NOW, "queued": 0, "lanes": 0, "in_flight": 0, "scheduled": 0, "receipts": 0, "overdue": 0, "opened": 0,
        "ended": {}, "observed": {}, "holds": [], "parked": 0, "slowed": [], "unmatched": [], "breaker": "closed",
        "login": "10001",
        "callbacks": CallbackNumbers(0, 0, 0, 0), "backlog": [], "windows": [], "observed_account": False,
        "flow": [*minutes, *({} for _ in range(61 - len(minutes)))],
    }  # fmt: skip
    return AccountNumbers(**{**well, **fields})


def server(**fields: Any) -> ServerNumbers:
    well: dict[str, Any] = {
        "program": "Valkey", "version": "9.0", "compatible": (7, 2), "role": "master", "used_memory": 1, "maxmemory": 0,
        "aof": True, "failing": "", "now": NOW, "ahead_ms": 0, "took": 0.001,
    }  # fmt: skip
    return ServerNumbers(**{**well, **fields})


def codes(found: list[Reason]) -> list[str]:
    assert all(reason["detail"] and reason["advice"] for reason in found)
    return [reason["code"] for reason in found]


def of(account: AccountNumbers) -> list[str]:
    found = of_account("main", account, 1_000, 60.0)
    assert all(reason["account"] == "main" for reason in found)
    return codes(found)


FULL = Window(1, 1_000, 1, NOW + 500)
OPEN = Window(1, 1_000, 0, NOW)
FAST = {"admitted": 300, "ended:delivered": 300}
OPERATOR, NAPCAT = Hold("account", 0, NOW, "night", operator=True), Hold("account", 0, NOW, "bad_token", operator=False)


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (numbers(), []),
        (numbers(holds=[Hold("group:1", 0, NOW, "muted", operator=False)], parked=1), []),
        (numbers(holds=[OPERATOR]), ["account_paused"]),
        (numbers(holds=[NAPCAT]), ["account_paused"]),
        (numbers(slowed=[Slowed("account", 0, NOW, "too_fast", 2)]), ["account_slowed"]),
        (numbers(slowed=[Slowed("group:1", 0, NOW, "too_fast", 2)]), []),
        (numbers(overdue=29_999), []),
        (numbers(overdue=30_000, windows=[OPEN]), ["lanes_overdue"]),
        (numbers(overdue=30_000, windows=[OPEN, FULL]), []),
        (numbers(overdue=30_000, windows=[FULL], observed_account=True), ["lanes_overdue"]),
        (numbers(overdue=30_000, in_flight=1), []),
        (numbers(overdue=90_000, windows=[OPEN], opened=NOW), []),  # the tick that takes the next one is on its way
        (numbers(overdue=90_000, windows=[OPEN], opened=NOW - 30_000), ["lanes_overdue"]),
        (numbers(overdue=90_000, windows=[OPEN], opened=NOW + 1), ["lanes_overdue"]),  # of limits that were narrower
        (numbers(overdue=90_000, breaker="half_open"), []),
        (numbers(overdue=30_000, holds=[NAPCAT]), ["account_paused"]),
        (numbers(queued=1_000), ["account_full"]),
        (numbers({"admitted": 300}, queued=300), ["backlog_growing"]),
        (numbers({"admitted": 300}, queued=300, scheduled=250), []),
        (numbers({"admitted": 700, "scheduled": 700}, queued=900, scheduled=700), []),
        (numbers({"due": 300}, queued=300), ["backlog_growing"]),
        (numbers({"admitted": 300, "ended:dead": 150, "ended:delivered": 100}, queued=300), []),
        (numbers(FAST, queued=900), []),
        (numbers({}, {}, {}, {}, {}, {}, {"admitted": 300}, queued=300), []),
        (numbers({"verdict:unknown": 2, "verdict:delivered": 8}), ["answers_unclear"]),
        (numbers({"verdict:unknown": 2, "verdict:delivered": 9}), []),
        (numbers({"verdict:unknown": 2}), []),
        (numbers(unmatched=[Unmatched("a", 1, 0, NOW - 3_600_000, 200, "j")]), ["answers_unmatched"]),
        (numbers(unmatched=[Unmatched("a", 1, 0, NOW - 3_600_001, 200, "j")]), []),
        (numbers(callbacks=CallbackNumbers(0, 0, 1, NOW)), ["callbacks_failing"]),
        (numbers(callbacks=CallbackNumbers(5, 1_000, 0, 0)), []),
    ],
)
def test_an_account_gives_a_reason_where_one_can_do_something(account: AccountNumbers, expected: list[str]) -> None:
    assert of(account) == expected


def test_a_process_that_has_just_begun_may_find_lanes_that_had_their_turn_before() -> None:
    account = numbers(overdue=3_600_000)
    assert [codes(of_account("main", account, 1_000, uptime)) for uptime in (29, 30)] == [[], ["lanes_overdue"]]


def test_of_a_minute_that_is_only_partly_in_the_last_ones_its_share_counts() -> None:
    account = numbers({"admitted": 3}, {"admitted": 10}, {"admitted": 100})
    assert [account.happened("admitted", minutes) for minutes in (1, 2, 3)] == [8, 63, 113]


@pytest.mark.parametrize(
    ("found", "refused", "expected"),
    [
        (server(), "", []),
        (server(role="slave"), "", ["redis_takes_no_writes"]),
        (server(failing="append-only file"), "MISCONF", ["redis_takes_no_writes"]),
        (server(failing="snapshot"), "", ["redis_not_saving"]),
        (server(maxmemory=100, used_memory=85), "", ["redis_full"]),
        (server(maxmemory=100, used_memory=84), "", []),
        (server(aof=False), "", ["redis_not_persistent"]),
    ],
)
def test_redis_gives_a_reason_where_it_takes_or_keeps_less_than_it_should(
    found: ServerNumbers, refused: str, expected: list[str]
) -> None:
    assert codes(of_redis(Look(NOW, 0.0, Shared({}, {}, found, [])), refused)) == expected


def test_a_redis_that_is_away_is_the_only_reason_of_its_own() -> None:
    assert codes(of_redis(Look(NOW, 0.0, None, "no answer"), "MISCONF")) == ["redis_unavailable"]


@pytest.mark.parametrize(
    ("source", "uptime", "queued", "expected"),
    [
        (SourceNumbers(0, None, "a"), 60, 0, []),
        (SourceNumbers(3, NOW - 59_999, "a"), 60, 0, []),
        (SourceNumbers(3, NOW - 60_000, "a"), 60, 0, ["source_behind"]),
        (SourceNumbers(3, NOW - 60_000, "a"), 60, 1_000, []),  # the account is full, which is told
        (SourceNumbers(3, NOW, ""), 9, 0, []),
        (SourceNumbers(3, NOW, ""), 10, 0, ["source_unread"]),
        (SourceNumbers(0, None, "", "WRONGTYPE"), 1, 0, ["source_unreadable"]),
    ],
)
def test_a_source_gives_a_reason_where_nobody_takes_what_is_in_it(
    source: SourceNumbers, uptime: float, queued: int, expected: list[str]
) -> None:
    shared = Shared({"main": numbers(queued=queued)}, {"jobs": source}, server(), [])
    found = of_sources(shared, uptime, 1_000)
    assert codes(found) == expected
    assert all(reason["source"] == "jobs" for reason in found)


def test_the_readme_explains_every_reason() -> None:
    root = Path(__file__).parents[2]
    written = "".join(file.read_text() for file in (root / "gateway/monitor").glob("*.py"))
    known = set(re.findall(r'reason\(\s*"([a-z_]+)"', written))
    table = root.joinpath("README.md").read_text().partition("| code | what it says |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+_[a-z_]+|stopping)`", table)) - {"down"} == known
