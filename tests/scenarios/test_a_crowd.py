"""Two hundred clients at once: every request is answered as it should be, and what was accepted is there once."""

import asyncio
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.world import World

CLIENTS = 200
HANDS = 2  # connections of a client, on each of which it makes its ten requests one after the other
PATIENCE = 60  # seconds that a client waits for an answer
FEW_FILES = 256


class Client:
    """One client with its own connections, which writes down how long each request took, and what was odd."""

    def __init__(self, number: int, session: aiohttp.ClientSession) -> None:
        self._number = number
        self._session = session
        self.took: list[float] = []
        self.odd: list[str] = []
        self.texts: list[str] = []
        self.told: dict[str, int] = {}  # the message id that a OneBot call was answered with, by text

    async def act(self, hand: int) -> None:
        """Make ten requests, each kind once."""
        name = f"{self._number}-{hand}"
        target = {"group_id": 100 + self._number} if self._number % 2 else {"user_id": 100_000 + self._number}
        texts = [f"{name}-{kind}" for kind in ("job", "first", "second", "onebot", "async", "awaited")]
        job, first, second, onebot, later, awaited = [{**target, "message": text} for text in texts]
        self.texts += texts
        accepted = await self._ask("POST", "/v1/jobs", {**job, "key": name}, 202)
        again = await self._ask("POST", "/v1/jobs", {**job, "key": name}, 202)
        self._expect(again, lambda told: told["duplicate"] and told["id"] == accepted.get("id"))
        await self._ask("GET", f"/v1/jobs/key:{name}", None, 200)
        batch = await self._ask("POST", "/v1/jobs/batch", {"jobs": [first, {"group_id": 1}, second]}, 202)
        self._expect(batch, lambda told: [item.get("code", "") for item in told["items"]] == ["", "job_invalid", ""])
        action = "send_group_msg" if "group_id" in target else "send_private_msg"
        sent = await self._ask("POST", f"/{action}", onebot, 200)
        self._expect(sent, lambda told: told["status"] == "ok")
        self.told[f"{name}-onebot"] = (sent.get("data") or {}).get("message_id", 0)
        at_once = await self._ask("POST", f"/{action}_async", later, 200)
        self._expect(at_once, lambda told: told["status"] == "async")
        await self._ask("POST", "/v1/jobs", {**job, "mesage": "?"}, 422)
        await self._ask("GET", f"/v1/jobs/main.{name}", None, 404)
        waited_for = await self._ask("POST", "/v1/jobs", awaited, 202)
        ended = await self._ask("GET", f"/v1/jobs/{waited_for.get('id')}?wait=60s", None, 200)
        self._expect(ended, lambda told: told["state"] == "delivered")

    async def _ask(self, method: str, path: str, document: dict[str, Any] | None, status: int) -> dict[str, Any]:
        """Return the answer, {} when it is none that was to come."""
        began = time.monotonic()
        try:
            async with self._session.request(method, path, json=document) as answer:
                told: dict[str, Any] = await answer.json(content_type=None)
                if answer.status == status:
                    return told
                self.odd.append(f"{method} {path.partition('/main.')[0]}: {answer.status} {told.get('code')}")
        except (aiohttp.ClientError, OSError) as error:
            self.odd.append(f"{method} {path.partition('/main.')[0]}: {type(error).__name__}")
        finally:
            self.took.append(time.monotonic() - began)
        return {}

    def _expect(self, told: dict[str, Any], fits: Callable[[dict[str, Any]], Any]) -> None:
        if told and not fits(told):
            self.odd.append(str(told)[:200])


@pytest.fixture(name="few_files")
def _few_files() -> Iterator[None]:
    """Let what is started now open few files by itself, as many systems do; the clients open more later."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("few_files")
async def test_thousands_of_requests_of_a_crowd_are_all_answered_and_every_job_is_there_once(world: World) -> None:
    gateway = await world.process(log={"format": "json", "level": "warning"})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(number, gateway.url)) for number in range(CLIENTS)]
        await asyncio.gather(*(client.act(hand) for client in clients for hand in range(HANDS)))
    took = sorted(seconds for client in clients for seconds in client.took)
    odd = Counter(words for client in clients for words in client.odd)
    story = f"{len(took)} requests, slowest {took[-1]:.2f} s, odd {odd.most_common(10)}"
    assert len(took) == CLIENTS * HANDS * 10, story
    assert not odd, story

    texts = [text for client in clients for text in client.texts]
    receipts = await world.ended(len(texts))
    assert Counter(receipt.state for receipt in receipts) == {"delivered": len(texts)}
    assert len({receipt.id for receipt in receipts}) == len(texts)
    assert sorted(sent.text for sent in world.napcat.delivered) == sorted(texts)
    ids = {sent.text: sent.message_id for sent in world.napcat.delivered}
    assert {text: told for client in clients for text, told in client.told.items()}.items() <= ids.items()
    assert gateway.log.read_text() == ""


@asynccontextmanager
async def connected(number: int, url: str) -> AsyncIterator[Client]:
    """Yield a client that has all its connections at once."""
    patience = aiohttp.ClientTimeout(total=PATIENCE)
    connector = aiohttp.TCPConnector(limit=HANDS)
    async with aiohttp.ClientSession(url, connector=connector, timeout=patience) as session:
        yield Client(number, session)
