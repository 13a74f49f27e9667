"""Every answer there is, over every transport, on real sockets: what becomes of the job, and how often it is sent."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.forward.rules import load_rules
from gateway.forward.verdict import judge
from gateway.model.receipt import Receipt
from gateway.model.verdict import Answer, Rule
from gateway.sandbox.process import free_port
from tests.forward.test_what_an_answer_proves import ANSWERS
from tests.world import Gateway, World, until

NODE = {"type": "node", "data": {"user_id": "10001", "nickname": "x", "content": "hello"}}
QUICK = {"settle_for": "200ms", "retry": ["100ms"], "timeout": "1s", "slack": "500ms"}


@dataclass(frozen=True)
class Case:
    """One answer, played once to one target of an account of its own, and what has to come of it."""

    number: int
    transport: str
    answer: Answer
    rule: Rule
    verdict: str

    @property
    def account(self) -> str:
        return f"{self.transport}{self.number}"

    @property
    def target(self) -> str:
        return f"group:{self.number if self.transport == 'http' else 1000 + self.number}"

    @property
    def told(self) -> str:
        return f"{self.transport} {self.answer!r:.200}"

    def settings(self, world: World) -> dict[str, Any]:
        implementation = (self.rule.implementation or ("napcat",))[0]
        account = {"name": self.account, "transport": self.transport, "implementation": implementation}
        return world.account(**account, max_in_flight=1)

    def job(self) -> dict[str, Any]:
        message: Any = [NODE] if self.answer.nodes else "hello"
        return {"account": self.account, "group_id": self.target[6:], "message": message, "key": "a"}

    def play(self, world: World) -> None:
        """Let the stand-in answer so once, and well after that."""
        answer = self.answer
        data = None if answer.message_id is None else {"message_id": answer.message_id}
        envelope = {"status": answer.status, "retcode": answer.retcode, "data": data, "message": answer.text}
        match answer.error:
            case "timeout":
                world.napcat.behave(self.target, "hang", times=1)
            case "reset":
                world.napcat.behave(self.target, "reset", times=1)
            case "unparsable" if self.transport == "http":
                world.napcat.behave(self.target, "raw", times=1, body=answer.text)
            case "unparsable":
                world.napcat.behave(self.target, "reply", times=1, retcode="what")
            case None if answer.status is not None and answer.http_status in {None, 200}:
                retcode = answer.retcode
                if self.transport == "ws" and retcode in {200, 400}:
                    retcode += 1000
                world.napcat.behave(
                    self.target, "reply", times=1, envelope_status=answer.status, retcode=retcode, data=data,
                    message=answer.text,
                )  # fmt: skip
            case _:
                body = json.dumps(envelope) if answer.status is not None else answer.text
                world.napcat.behave(self.target, "raw", times=1, status=answer.http_status, body=body)


def cases() -> list[Case]:
    found = []
    for number, (answer, verdict, name) in enumerate(ANSWERS, 1):
        ruling = judge(answer, load_rules())
        assert ruling.rule.name == name
        if answer == Answer() or (answer.error is not None and answer.error not in {"timeout", "reset", "unparsable"}):
            continue  # nothing to play: no answer at all, or nobody to send to, which is the test below
        plain_http = answer.http_status not in {None, 200} or (answer.status is None and answer.error is None)
        transports = ["http"] if plain_http else ["ws"] if answer.transport == "ws" else ["http", "ws"]
        found += [Case(number, transport, answer, ruling.rule, verdict) for transport in transports]
    return found


async def begin(world: World, gateway: Gateway, case: Case) -> None:
    case.play(world)
    reply = await gateway.post("/v1/jobs", case.job())
    assert reply.status == 202, reply.body


async def all_ended(world: World, gateway: Gateway, table: list[Case]) -> None:
    """Wait until all jobs have ended; let go by hand what would wait for minutes."""
    freed: set[str] = set()

    async def waiting() -> list[Receipt]:
        await asyncio.sleep(0.5)  # the longest of them takes twenty times as long, and to list all is no small thing
        items = (await gateway.get("/v1/jobs?limit=500")).json["items"]
        found = [receipt for receipt in map(Receipt.model_validate, items) if not receipt.ended_at]
        sent = {call.target for call in world.napcat.received}
        for one in found:
            if one.reason in {"parked", "paused"} and one.target in sent and one.account not in freed:
                freed.add(one.account)
                await gateway.post(f"/v1/targets/{one.target.replace(':', '/')}/release?account={one.account}", {})
                await gateway.post(f"/v1/accounts/{one.account}/resume", {})
        return found

    assert len((await gateway.get("/v1/jobs?limit=500")).json["items"]) == len(table)
    await until(waiting, lambda left: not left)


@pytest.mark.timeout(120)
async def test_every_answer_ends_a_job_as_it_proves_after_as_many_requests_as_it_allows(world: World) -> None:
    table = cases()
    gateway = await world.gateway(accounts=[case.settings(world) for case in table], delivery=QUICK)
    for case in table:
        await begin(world, gateway, case)
    await all_ended(world, gateway, table)
    wrong = []
    for case in table:
        receipt = await gateway.receipt(f"key:a?account={case.account}")
        first = (receipt.attempts or [])[0]
        requests = sum(call.target == case.target for call in world.napcat.received)
        state, sent = {
            "delivered": ("delivered", 1),
            "retry": ("delivered", 2),
            "unknown": ("unconfirmed", 1),
            "rejected": ("rejected", 1),
        }[case.verdict]
        seen = (first.verdict, first.rule, receipt.state, requests)
        if seen != (case.verdict, case.rule.name, state, sent):
            wrong.append(f"{case.told}: {seen}")
    assert wrong == []
    assert len(table) > 150


async def test_what_never_left_is_no_attempt_lost_over_either_transport(world: World) -> None:
    closed = free_port()
    nobody = {
        "refused": f"://127.0.0.1:{closed}",
        "dns": "://nobody.invalid:3000",
        "tls": world.napcat.url.replace("http", "s"),
    }
    accounts = []
    for name, place in nobody.items():
        for transport in ("http", "ws"):
            url = f"{transport}{place}"
            accounts.append(world.account(name=f"{name}-{transport}", transport=transport, endpoint=url))
    gateway = await world.gateway(accounts=accounts, delivery=QUICK)
    for account in accounts:
        job = {"account": account["name"], "group_id": 1, "message": "x", "key": "a"}
        assert (await gateway.post("/v1/jobs", job)).status == 202
    for account in accounts:

        async def waits(name: str = account["name"]) -> Receipt:
            return Receipt.model_validate_json((await gateway.get(f"/v1/jobs/key:a?account={name}")).body)

        receipt = await until(waits, lambda receipt: receipt.reason == "paused")
        assert [attempt.rule for attempt in receipt.attempts] in ([], ["not_connected"])
    assert world.napcat.received == []
