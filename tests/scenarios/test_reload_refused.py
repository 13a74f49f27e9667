"""Settings with a fault are refused whole: each fault is told, no secret is, and what counted before goes on."""

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from gateway.sandbox.process import GatewayProcess
from tests.keys import key
from tests.world import Gateway, World, until

JOB = {"group_id": "1", "message": "hello"}
TOKEN = "a-token-nobody-may-read"
HOOK = {"name": "bell", "preset": "bark", "secret": TOKEN, "targets": ["group:1"]}
Settings = dict[str, Any]


def written(**sections: Any) -> Callable[[Settings], str]:
    return lambda settings: json.dumps({**settings, **sections})


FAULTY: dict[str, tuple[Callable[[Settings], str], str, str]] = {
    "broken YAML": (lambda settings: json.dumps(settings)[:-1] + f"\n  token: {TOKEN}", ".yaml", "not YAML"),
    "an unknown key": (written(limits={"grup": ["1/1s"]}), "limits.grup", "did you mean 'group'?"),
    "a rule that is none": (
        written(delivery={"rules": [{"name": "x", "text": "(", "verdict": "retry"}]}),
        "delivery.rules.0.text",
        "",
    ),
    "a template that is none": (
        written(hooks=[{**HOOK, "template": "{% if %}"}]),
        "hooks.0.template",
        "",
    ),
    "a hook that says nothing": (
        written(hooks=[{**HOOK, "preset": "github", "template": "{{ nothing.of.it }}"}]),
        "hooks",
        "'bell'",
    ),
    "two accounts of one name": (
        written(accounts=[{"name": "a", "endpoint": "http://a"}, {"name": "a", "endpoint": "http://b"}]),
        "accounts",
        "give each its own name",
    ),
    "an endpoint that is none": (
        written(accounts=[{"name": "a", "endpoint": "http://a", "token": TOKEN}, {"name": "b", "endpoint": "b"}]),
        "accounts.1.endpoint",
        "write http://host:port",
    ),
    "a token that no header takes": (
        written(
            accounts=[{"name": "b", "endpoint": "http://b"}, {"name": "a", "endpoint": "http://a", "token": "ü\n"}]
        ),
        "accounts.1.token",
        "line break",
    ),
    "no file": (lambda _: "", "", ""),
}


@pytest.mark.parametrize("fault", FAULTY.values(), ids=list(FAULTY))
async def test_settings_with_a_fault_change_nothing(
    world: World, fault: tuple[Callable[[Settings], str], str, str]
) -> None:
    write, where, words = fault
    gateway = await world.gateway()
    settings = json.loads(gateway.file.read_text())
    text = write({**settings, "log": {"text": "full"}})
    if text:
        gateway.file.write_text(text)
    else:
        gateway.file.unlink()
    reply = await gateway.post("/v1/reload", b"")
    assert (reply.status, reply.json["code"]) == (422, "settings_invalid"), reply.body
    told = [(fault["loc"], fault["msg"]) for fault in reply.json["errors"]]
    assert any(where in loc and words in msg for loc, msg in told), told
    assert TOKEN.encode() not in reply.body
    job = (await gateway.post("/v1/jobs", JOB)).json["id"]
    await gateway.shows(job, "delivered")
    gateway.file.write_text(json.dumps(settings))
    assert (await gateway.reload())["applied"] == []


async def test_every_fault_is_told(world: World) -> None:
    gateway = await world.gateway()
    gateway.change(limits={"grup": [], "group": ["x"]}, http={"port": "none"})
    reply = await gateway.post("/v1/reload", b"")
    assert [fault["loc"] for fault in reply.json["errors"]] == ["http.port", "limits.group.0", "limits.grup"]


async def test_an_open_door_is_not_left_by_an_address_that_waits_for_a_restart(world: World) -> None:
    """The process listens for everybody; a file that binds to loopback and drops the keys must not open it."""
    gateway: Gateway = await world.gateway(
        http={"host": "0.0.0.0", "port": 0}, auth={"keys": [key("boss", scopes=["admin"])]}
    )
    gateway.change(http={"host": "127.0.0.1", "port": 0}, auth={"keys": []})
    reply = await gateway.post("/v1/reload", b"", {"Authorization": "Bearer boss"})
    assert (reply.status, [fault["loc"] for fault in reply.json["errors"]]) == (422, ["http.host"])
    assert (await gateway.get("/status")).status == 401


async def test_a_signal_does_what_a_request_does_and_the_log_tells(world: World) -> None:
    gateway = await world.process()

    def told(event: str) -> list[dict[str, Any]]:
        return gateway.events(event)

    gateway.change(onebot={"pass": []}, http={"port": gateway.port, "max_body": 4096})
    gateway.send_signal(signal.SIGHUP)
    (event,) = await until(lambda: told("settings.reloaded"))
    assert (event["wish"], event["applied"], event["needs_restart"]) == ("signal", ["onebot.pass"], ["http.max_body"])
    gateway.change(limits={"account": ["many"]}, accounts=[world.account(token=TOKEN)])
    gateway.send_signal(signal.SIGHUP)
    (refused,) = await until(lambda: told("settings.refused"))
    assert "limits.account.0: " in refused["error"]
    assert refused["level"] == "error"
    assert TOKEN not in gateway.log.read_text()
    await world.add(JOB)
    await world.ended(1)
    assert await gateway.stop() == 0


async def test_the_level_of_the_log_changes_and_new_secrets_stay_out_of_it(world: World) -> None:
    gateway: GatewayProcess = await world.process(log={"format": "json", "level": "warning"})
    await world.add(JOB)
    await world.ended(1)
    assert gateway.events("job.ended") == []
    gateway.change(log={"format": "json", "level": "info", "text": "full"}, accounts=[world.account(token=TOKEN)])
    gateway.send_signal(signal.SIGHUP)
    await until(lambda: gateway.events("settings.reloaded"))
    world.napcat.token = TOKEN
    await world.add({**JOB, "message": f"it is {TOKEN}"})
    await world.ended(2)
    (event,) = await until(lambda: gateway.events("job.ended"))
    assert event["text"] == "it is ***"
    gateway.change(log={"format": "json", "level": "error"})
    gateway.send_signal(signal.SIGHUP)
    await world.add(JOB)
    await world.ended(3)
    assert len(gateway.events("job.ended")) in {1, 2}
    assert TOKEN not in gateway.log.read_text()
