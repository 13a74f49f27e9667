"""Actions passed through to NapCat never take more than one of the connections that messages need."""

import asyncio
from collections.abc import Mapping
from typing import Any

from gateway.intake.onebot.call import Call
from gateway.intake.onebot.pass_through import PassThrough
from gateway.model.verdict import Answer


class _Slow:
    """An account's NapCat that counts how many calls it has at once."""

    def __init__(self) -> None:
        self.now = self.most = self.calls = 0

    async def ask(self, action: str, params: Mapping[str, Any], timeout_ms: int) -> tuple[Answer, Any]:
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return Answer(status="ok", retcode=0, http_status=200), {"at_most_ms": timeout_ms, **params}


async def test_an_account_is_asked_one_thing_at_a_time_and_others_meanwhile() -> None:
    first, second = _Slow(), _Slow()
    passes = PassThrough(("get_status",), {"main": first.ask, "second": second.ask}, str)
    told = await asyncio.gather(
        *(passes(Call("get_status", None, {"n": n, "echo": n}, None)) for n in range(20)),
        *(passes(Call("get_status", "second", {"n": n, "echo": n}, None)) for n in range(20)),
    )
    assert [envelope and envelope["echo"] for envelope in told] == [*range(20)] * 2
    assert [envelope and envelope["data"]["n"] for envelope in told] == [*range(20)] * 2
    assert (first.most, second.most) == (1, 1)


async def test_what_napcat_says_over_websocket_is_told_as_it_would_be_over_http() -> None:
    async def ask(action: str, params: Mapping[str, Any], timeout_ms: int) -> tuple[Answer, Any]:
        return Answer("ws", status="failed", retcode=1200, text=" secret /path "), None

    passes = PassThrough(("get_msg",), {"main": ask}, lambda words: words.strip().split()[0])
    told = await passes(Call("get_msg", None, {}, None))
    assert told is not None
    assert (told["retcode"], told["message"], told["wording"]) == (200, "secret", "secret")
