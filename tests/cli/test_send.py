"""`gateway send`, as a person runs it."""

import asyncio
import json
from hashlib import sha256
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import app
from gateway.sandbox.process import free_port
from tests.cli.commands import command
from tests.world import World


async def test_a_message_is_sent_and_its_job_told(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    plain, waited, piped = await asyncio.gather(
        command(tmp_path, gateway.url, "send", "group:1", "hello [CQ:face,id=1]"),
        command(tmp_path, gateway.url, "send", "private:2", "--wait", "20s", "--json", "--", "-v"),
        command(tmp_path, gateway.url, "send", "group:3", "-", "--wait", "20s", stdin="two\nlines\n"),
    )
    assert [ended.code for ended in (plain, waited, piped)] == [0, 0, 0], (plain, waited, piped)
    job, state = plain.out.strip().split("\t")
    assert (job[:5], state) == ("main.", "queued")
    receipt = json.loads(waited.out)
    assert (receipt["state"], receipt["target"]) == ("delivered", "private:2")
    assert piped.out.split("\t")[1] == "delivered"
    assert (await gateway.receipt(job)).target == "group:1"
    await world.ended(3)
    texts = [world.napcat.texts(target) for target in ("group:1", "private:2", "group:3")]
    assert texts == [["hello [CQ:face,id=1]"], ["-v"], ["two\nlines"]]


async def test_every_option_reaches_the_job(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    (tmp_path / "message.json").write_text('["a ", {"type": "face", "data": {"id": 1}}]')
    options = ("--key", "k", "--priority", "high", "--delay", "10ms", "--ttl", "1h", "--requester", "5")
    more = ("--collapse-key", "c", "--on-unknown", "hold", "--split", "refuse", "--metadata", '{"a": 1}')
    fine, via, cq = await asyncio.gather(
        command(tmp_path, gateway.url, "send", "group:1", "--segments", "message.json", *options, *more),
        command(tmp_path, gateway.url, "send", "private:5", "hi", "--via", "1", "--not-before", "2026-01-31T08:00:00Z"),
        command(tmp_path, gateway.url, "send", "group:2", "[CQ:face,id=2]", "--format", "cq", "--account", "main"),
    )
    assert [ended.code for ended in (fine, via, cq)] == [0, 0, 0], (fine, via, cq)
    receipts = {receipt.target: receipt for receipt in await world.ended(3)}
    assert receipts["group:1"].metadata == {"a": 1}
    assert receipts["group:1"].key == "k"
    assert receipts["private:5"].state == "delivered"


async def test_the_same_key_sends_once(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    first = await command(tmp_path, gateway.url, "send", "group:1", "x", "--key", "a")
    second = await command(tmp_path, gateway.url, "send", "group:1", "x", "--key", "a", "--json")
    assert first.out.split("\t")[0] == json.loads(second.out)["id"]
    assert json.loads(second.out)["duplicate"] is True


async def test_who_waits_for_a_delivery_that_does_not_come_is_told_by_the_exit_code(
    world: World, tmp_path: Path
) -> None:
    world.napcat.behave("group:9", "kick")
    gateway = await world.gateway()
    kicked, later = await asyncio.gather(
        command(tmp_path, gateway.url, "send", "group:9", "x", "--wait", "20s"),
        command(tmp_path, gateway.url, "send", "group:1", "x", "--delay", "1h", "--wait", "200ms"),
    )
    assert (kicked.code, kicked.out.split("\t")[1]) == (1, "rejected")
    assert (later.code, later.out.split("\t")[1]) == (1, "waiting")
    assert "gateway jobs watch main." in later.err


async def test_what_is_refused_is_told_field_by_field(world: World, tmp_path: Path) -> None:
    gateway = await world.gateway()
    ended = await command(tmp_path, gateway.url, "send", "group:1", "x", "--priority", "urgent", "--delay", "soon")
    assert (ended.code, ended.out) == (1, "")
    head, *faults = ended.err.splitlines()
    assert head.startswith("refused (job_invalid)")
    assert {fault.strip().partition(":")[0] for fault in faults} == {"priority", "delay"}


def test_wrong_use_is_told_in_a_sentence() -> None:
    expected = {
        (): "say where and what",
        ("group:1",): "say what to send",
        ("grp:1", "x"): "write group:<digits>",
        ("group:1", "x", "--segments", "[]"): "say what to send",
        ("group:1", "--segments", "{"): "this is no JSON",
        ("group:1", "--segments", "nothing.json"): "cannot be read",
        ("group:1", "x", "--via", "2"): "--via is for a person",
        ("group:1", "x", "--api-key", "gw_x"): "set GATEWAY_KEY",
        ("group:1", "x", "--key", "gw_secret"): "set GATEWAY_KEY",
        ("group:1", "x", "--run", "b"): "go with --file",
        ("group:1", "x", "--wait", "soon"): "write a duration",
        ("--file", "jobs.jsonl", "group:1"): "--file has whole jobs",
        ("--file", "nothing.jsonl"): "cannot be read",
        ("group:1", "x", "--key-file", "nothing"): "cannot be read",
        ("group:1", "x", "--url", "localhost:8080"): "write http://",
    }
    for words, told in expected.items():
        ended = CliRunner().invoke(app, ["send", *words])
        assert (ended.exit_code, ended.stdout) == (2, ""), words
        assert told in ended.stderr, words
        assert "gw_" not in ended.stderr


async def test_a_gateway_that_is_not_there_is_told_with_the_remedy(tmp_path: Path) -> None:
    ended = await command(tmp_path, f"http://127.0.0.1:{free_port()}", "status")
    assert (ended.code, ended.out) == (1, "")
    assert len(ended.err.splitlines()) == 1
    assert all(words in ended.err for words in ("no answer from", "connection refused", "is it running", "GATEWAY_URL"))


async def test_who_was_not_answered_learns_last_how_to_send_it_again_and_not_twice(tmp_path: Path) -> None:
    ended = await command(tmp_path, f"http://127.0.0.1:{free_port()}", "send", "group:1", "x", "--key", "mine")
    assert (ended.code, ended.out) == (1, "")
    first, last = ended.err.splitlines()
    assert first.startswith("no answer from")
    assert last.endswith("give --key mine")


async def test_the_key_comes_from_the_environment_or_a_file_and_its_lack_is_told(world: World, tmp_path: Path) -> None:
    key = {"name": "ci", "sha256": sha256(b"secret").hexdigest(), "scopes": ["send"]}
    gateway = await world.gateway(auth={"keys": [key]})
    (tmp_path / "key").write_text("secret\n")
    none, wrong, given, file, read = await asyncio.gather(
        command(tmp_path, gateway.url, "send", "group:1", "x"),
        command(tmp_path, gateway.url, "send", "group:1", "x", GATEWAY_KEY="wrong"),
        command(tmp_path, gateway.url, "send", "group:1", "x", GATEWAY_KEY="secret"),
        command(tmp_path, gateway.url, "send", "group:1", "x", "--key-file", "key", GATEWAY_KEY="wrong"),
        command(tmp_path, gateway.url, "status", GATEWAY_KEY="secret"),
    )
    assert [ended.code for ended in (none, wrong, given, file, read)] == [1, 1, 0, 0, 1]
    for ended in (none, wrong):
        assert "set GATEWAY_KEY or give --key-file" in ended.err
    assert "has no scope 'read'" in read.err
