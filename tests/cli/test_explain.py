"""`gateway explain`: what becomes of a job or an answer, told without Redis and without NapCat."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.sandbox.acts import ACTS
from tests.world import World

MUTED = {
    "status": "failed",
    "retcode": 200,
    "data": None,
    "message": "EventChecker Failed: NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg "
    "ListenerName:NodeIKernelMsgListener/onMsgInfoListUpdate EventRet:\n"
    '{\n    "result": 120,\n    "errMsg": "muted"\n}\n',
}


def explain(*words: str, job: Any = None, config: Path | None = None) -> Result:
    """Run `gateway explain` in this process; JOB goes to its standard input."""
    options = ["--config", str(config)] if config else []
    given = job if isinstance(job, bytes) else json.dumps(job).encode()
    return CliRunner().invoke(app, ["explain", *words, *options], input=None if job is None else given)


async def test_it_prints_for_each_demo_job_the_bytes_that_napcat_then_receives(world: World) -> None:
    gateway = await world.gateway()
    fine = [act.job for act in ACTS if act.ends == "delivered"]
    await world.add(*fine)
    assert {receipt.state for receipt in await world.ended(len(fine))} == {"delivered"}
    received: dict[str, list[bytes]] = {}
    for call in world.napcat.received:
        received.setdefault(call.target, []).append(call.raw)
    for job in fine:
        printed = explain("-", job=job, config=gateway.file).stdout_bytes.splitlines()
        target = f"group:{job['group_id']}" if "group_id" in job else f"private:{job['user_id']}"
        assert [line for line in printed if line.startswith(b'{"')] == received.pop(target)
    assert not received
    assert gateway.url


def test_it_names_account_lane_rates_and_every_call(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        json.dumps(
            {
                "accounts": [
                    {"name": "one", "endpoint": "http://127.0.0.1:1"},
                    {"name": "two", "endpoint": "http://127.0.0.1:2/napcat/"},
                ],
                "routes": [{"target": "group:5*", "account": "two"}],
                "limits": {
                    "account": ["9/1s"],
                    "requester": ["1/10s"],
                    "overrides": [{"target": "group:50?", "rates": ["3/1m"]}],
                },
            }
        )
    )
    job = {"group_id": 501, "requester": 7, "delay": "2s", "message": ["hi", {"type": "dice"}]}
    told = json.loads(explain("-", "--json", job=job, config=config).stdout)
    assert (told["account"], told["lane"], told["goes"]) == ("two", "group:501", "2s after it was admitted")
    assert told["rates"] == {"account": ["9/1s"], "override group:50?": ["3/1m"], "requester": ["1/10s"]}
    assert [part["url"] for part in told["parts"]] == ["http://127.0.0.1:2/napcat/send_group_msg"] * 2
    assert [part["reads"] for part in told["parts"]] == ["hi", "[CQ:dice]"]


def test_a_job_file_is_read_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text('{"user_id": 5, "message": "hi"}')
    assert "part 1 of 1: POST http://127.0.0.1:3000/send_private_msg" in explain(str(file)).stdout


def test_a_part_that_leaves_over_a_websocket_is_shown_as_its_frame(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("accounts: [{name: main, endpoint: 'http://127.0.0.1:3001', transport: ws}]")
    told = json.loads(explain("-", "--json", job={"user_id": 5, "message": "hi"}, config=config).stdout)
    [part] = told["parts"]
    assert (part["by"], part["url"]) == ("frame to", "ws://127.0.0.1:3001/api")
    frame = json.loads(part["body"])
    assert (frame["action"], frame["params"]["user_id"]) == ("send_private_msg", "5")


def test_a_refused_job_is_explained_fault_by_fault() -> None:
    ended = explain("-", job={"group_id": 1, "mesage": "x", "message": [{"type": "poke", "data": {}}]})
    assert ended.exit_code == 1
    assert not ended.stdout
    assert ended.stderr.splitlines()[0].startswith("refused (job_invalid)")
    assert "  mesage: unknown field; did you mean message?" in ended.stderr
    assert "  message.0.type: poke cannot be sent" in ended.stderr


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[1]", b'{"group_id": 1, "message": NaN}'])
def test_what_is_no_job_is_refused_with_the_reason(raw: bytes) -> None:
    ended = explain("-", job=raw)
    assert ended.exit_code == 1
    assert "refused (json_invalid)" in ended.stderr


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ([], "name a file with a job"),
        (["-", "--reply", "{}"], "name a file with a job"),
        (["/no/such/file"], "name a file, or - for standard input"),
        (["-", "--nodes"], "go with --reply"),
        (["--reply", "{}", "--ws", "--http-status", "200"], "give --ws or --http-status"),
    ],
)
def test_wrong_use_is_told_with_the_remedy(words: list[str], remedy: str) -> None:
    ended = explain(*words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert remedy in ended.stderr


def test_a_refusal_is_told_to_programs_too() -> None:
    ended = explain("-", "--json", job={"group_id": 1, "message": ""})
    told = json.loads(ended.stdout)
    assert (ended.exit_code, told["code"], told["errors"][0]["loc"]) == (1, "message_invalid", "message")


def test_a_forward_is_shown_node_by_node() -> None:
    inner = {"type": "node", "data": {"nickname": "Bob", "content": "deep\ndeeper"}}
    nodes = [{"type": "node", "data": {"id": 5}}, {"type": "node", "data": {"user_id": 7, "content": [inner]}}]
    assert (
        "  | > message 5\n  | > 7: > Bob: deep\n  | >   >   deeper\n"
        in explain("-", job={"group_id": 1, "message": nodes}).stdout
    )


def test_the_words_of_a_job_move_no_cursor_and_turn_no_line() -> None:
    printed = explain("-", job={"group_id": 1, "message": "paid\rrefused \u202egnp.exe"}).stdout
    assert r"  | paid\rrefused \u202egnp.exe" in printed


def test_the_last_instant_there_is_can_be_explained() -> None:
    job = {"group_id": 1, "message": "x", "not_before": "9999-12-31T23:59:59.9999Z"}
    assert "not before 9999-12-31T23:59:59.999Z" in explain("-", job=job).stdout


REPLIES: dict[str, tuple[list[str], list[str]]] = {
    "muted": (
        [json.dumps(MUTED)],
        [
            "verdict  retry",
            "rule     muted",
            "result 120",
            "until the hold ends",
            "the target is parked for 10m",
            "when 5 targets",
        ],
    ),
    "sent": (
        ['{"status": "ok", "retcode": 0, "data": {"message_id": 5}}'],
        ["verdict  delivered", "rule     delivered", "none: the job ends"],
    ),
    "media": (
        ['{"status": "failed", "retcode": 200, "message": "rich media transfer failed"}'],
        ["verdict  retry", "5s, 30s, 2m (each ±20 %), then rejected"],
    ),
    "no rule": (
        ['{"status": "failed", "retcode": 200, "message": "as yet unheard of"}'],
        ["verdict  unknown", "rule     unmatched", "1m for evidence", "as yet unheard of"],
    ),
    "a proxy": (["<html>Bad Gateway</html>", "--http-status", "502"], ["verdict  unknown", "http_status 502"]),
    "a token": (["{}", "--http-status", "403"], ["verdict  retry", "the account is paused for 1s"]),
    "a frame": (['{"status": "failed", "retcode": 1404}', "--ws"], ["verdict  rejected", "rule     unknown_action"]),
    "its author": (
        ['{"status": "failed", "retcode": 120}', "--from", "lagrange"],
        ["rule     muted (built in): implementation ['lagrange'], retcode [120]"],
    ),
    "another author": (['{"status": "failed", "retcode": 120}', "--from", "napcat"], ["rule     unmatched"]),
    "nodes": (
        ['{"status": "failed", "retcode": 200, "message": "消息体无法解析, 请检查"}', "--nodes"],
        ["verdict  unknown"],
    ),
    "no nodes": (
        ['{"status": "failed", "retcode": 200, "message": "消息体无法解析, 请检查"}'],
        ["verdict  rejected"],
    ),
}


@pytest.mark.parametrize("case", REPLIES)
def test_an_answer_is_explained_by_verdict_rule_and_waits(case: str) -> None:
    words, told = REPLIES[case]
    ended = explain("--reply", *words)
    assert ended.exit_code == 0
    assert all(piece in ended.stdout for piece in told), ended.stdout


def test_an_operators_own_rule_is_named_as_such(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        json.dumps(
            {"delivery": {"rules": [{"name": "mine", "retcode": 200, "text": "unheard", "verdict": "rejected"}]}}
        )
    )
    ended = explain("--reply", '{"status": "failed", "retcode": 200, "message": "unheard of"}', config=config)
    assert "rule     mine (delivery.rules): retcode [200], text unheard" in ended.stdout
