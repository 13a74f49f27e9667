"""`gateway sandbox` listens for other machines only when it asks who calls."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from gateway.sandbox.process import free_port
from tests.cli.commands import end, said, start
from tests.world import listens


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--host", "0.0.0.0"], "--host: '0.0.0.0' is reachable from other machines; give --token-file, or listen on"),
        (["--token-file", "none"], "--token-file none: cannot be read (No such file or directory)"),
        (["--token-file", "token", "--token", "b"], "--token, --token-file: give one of them"),
        (["--host", "203.0.113.7", "--token", "b"], "--port: cannot listen on 203.0.113.7:3000"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(tmp_path: Path, words: list[str], told: str) -> None:
    (tmp_path / "token").write_text("a-token\n")
    ended = said(tmp_path, "sandbox", *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith(told)


async def test_the_token_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-token\n")
    port = free_port()
    process = await start(tmp_path, "", "sandbox", "--port", str(port), "--token-file", "token")
    while not await listens(port):
        assert process.returncode is None
        await asyncio.sleep(0.02)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for token, status in (("a-token", 200), ("another", 403)):
            async with session.get("/get_status", headers={"Authorization": f"Bearer {token}"}) as answer:
                assert answer.status == status
    process.terminate()
    await end(process)
