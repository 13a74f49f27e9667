"""`GET /v1/jobs/{id}/message`: what a job says, as long as its record holds it."""

from typing import Any

from aiohttp import web
from pydantic_core import from_json, to_json

from gateway.model.card import Card
from gateway.results.named import named
from gateway.results.receipts import job_not_found
from gateway.store.scripts.readings import ReadingScripts, Said
from gateway.web import KEY, may_use, problem

_INLINE = ("base64://", "data:")
_MOST_INLINE = 64  # characters of inline media that are shown
_MOST = 20_000  # characters of anything else


class Messages:
    """Shows messages that have not been delivered."""

    def __init__(self, scripts: ReadingScripts, accounts: list[str]) -> None:
        """Look into ACCOUNTS; the first is where a key is looked up when the caller names none."""
        self._scripts = scripts
        self._accounts = accounts

    async def get(self, request: web.Request) -> web.Response:
        """Answer `{id, account, target, parts: [{action, delivered, segments, card?}]}`; `{id}` as for the receipt.

        Inline media and very long strings are cut; a segment's `cut` says how many bytes (media, decoded) or
        characters they have. 404 `message_gone` once the job was delivered, or sent again by a replay.
        """
        where = named(request, self._accounts)
        said = await self._scripts.message(*where) if where else None
        if where is None or said is None or not may_use(request.get(KEY), said.target):
            return job_not_found()
        if not said.parts:
            return problem(404, "message_gone", "what a job says is kept until it is delivered, or sent again")
        return web.Response(body=to_json(_document(where.account, said)), content_type="application/json")


def _document(account: str, said: Said) -> dict[str, Any]:
    parts = []
    for number, (action, body) in enumerate(said.parts):
        call: dict[str, Any] = from_json(body)
        card = {name: call[name] for name in Card.__annotations__ if name in call}
        segments = [cut(segment) for segment in call["message"]]
        part = {"action": action, "delivered": number < said.delivered, "segments": segments}
        parts.append({**part, "card": card} if card else part)
    return {"id": f"{account}.{said.job_id}", "account": account, "target": said.target, "parts": parts}


def cut(segment: dict[str, Any]) -> dict[str, Any]:
    """Return SEGMENT, those inside a node too, without what is too long to be looked at; `cut` tells the full sizes."""
    data: dict[str, Any] = {}
    sizes: dict[str, int] = {}
    for name, value in segment["data"].items():
        if isinstance(value, list) and name == "content":
            data[name] = [cut(inner) for inner in value]
        elif isinstance(value, str) and len(value) > _MOST_INLINE and value.startswith(_INLINE):
            payload = value.partition("//" if value.startswith("base64") else ",")[2]
            data[name], sizes[name] = value[:_MOST_INLINE] + "…", len(payload.rstrip("=")) * 3 // 4
        elif isinstance(value, str) and len(value) > _MOST:
            data[name], sizes[name] = value[:_MOST] + "…", len(value)
        else:
            data[name] = value
    return {"type": segment["type"], "data": data, **({"cut": sizes} if sizes else {})}
