"""The stand-ins for curl and redis-cli do what the README needs of them."""

import asyncio
import json
import sys
from pathlib import Path

from tests.world import World, until

ROOT = Path(__file__).parents[2]


async def run(program: str, *words: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.readme.{program}", *words), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_curl_posts_a_form_or_what_its_headers_say_and_prints_the_answer(world: World) -> None:
    url = f"{world.napcat.url}/send_group_msg"
    code, out = await run("curl", "-sS", url, "-d", "group_id=7", "-d", "message=hello")
    assert (code, json.loads(out)["data"]["message_id"]) == (0, world.napcat.delivered[-1].message_id)
    header = ("-H", "Content-Type: application/json")
    code, out = await run("curl", "-sS", "-X", "POST", url, *header, "-d", '{"group_id": 7, "message": "again"}')
    assert world.napcat.texts("group:7") == ["hello", "again"]


async def test_curl_fails_with_the_answer_when_it_is_refused(world: World) -> None:
    world.napcat.token = "a-token"
    code, out = await run("curl", "-sS", "--fail-with-body", f"{world.napcat.url}/get_status")
    assert (code, json.loads(out)) == (22, {"message": "token verify failed!"})


async def test_redis_cli_sends_a_command_and_prints_the_reply(world: World) -> None:
    code, out = await run("redis_cli", "-u", world.redis_url, "XADD", "a", "*", "b", "c")
    assert code == 0
    assert (await run("redis_cli", "-u", world.redis_url, "XRANGE", "a", "-", "+")) == (0, f"{out}b\nc\n")
    code, out = await run("redis_cli", "-u", world.redis_url, "XADDD", "a")
    assert (code, out[:19]) == (1, "ERR unknown command")


async def test_redis_cli_waits_for_as_long_as_it_is_told(world: World) -> None:
    waiting = asyncio.create_task(run("redis_cli", "-u", world.redis_url, "XREAD", "BLOCK", "0", "STREAMS", "s", "$"))
    await until(lambda: world.clients.commands.info("clients"), lambda seen: seen["blocked_clients"])
    await world.clients.commands.xadd("s", {"name": "value"})
    code, out = await waiting
    assert (code, out.splitlines()[2:]) == (0, ["name", "value"])
