"""The exact request of one NapCat call."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from pydantic_core import to_json

from gateway.convert.faults import refusal
from gateway.convert.fingerprint import fingerprint
from gateway.convert.media import INLINE, inline_bytes, media_of
from gateway.model.errors import Fault
from gateway.model.job import Job
from gateway.model.part import Part
from gateway.model.segment import Segment
from gateway.model.segment_types import MEDIA

UPLOAD_BYTES_PER_S = 256 * 1024
MAX_BODY = 12 * 1024**2  # NapCat's parser takes 2 s for 10 MB, and nobody else is served meanwhile (measured)
FETCH_MS = 60_000
REMOTE_BYTES = 15 * 1024**2  # a size to reckon with where NapCat fetches the media and only it will know
_UNUSUAL = MEDIA | {"node", "markdown"}


def write_part(job: Job, segments: Sequence[Segment], timeout_ms: int, markdown: str) -> Part:
    """Return the part that sends these segments to the job's target.

    The body is ASCII-only JSON, because NapCat decodes each TCP chunk by itself and so corrupts characters that lie
    across two (http-server.ts), and its ids are strings, because a JSON number loses digits over 2^53. `timeout_ms` is
    the wait for a text, in milliseconds; media adds its size at NapCat's own 256 KB/s (config.ts), since the field
    replaces the wait NapCat would reckon by itself. `markdown` is the type under which the account takes markdown.
    Raises `Refused` for a body so large that NapCat would stand still over it.
    """
    message: Sequence[Any] = segments
    body: dict[str, Any] = {}
    if job.group_id is not None:
        body["group_id"] = job.group_id
    if job.user_id is not None:
        body["user_id"] = job.user_id
    nodes = remote = False
    digests = ""
    if not _UNUSUAL.isdisjoint([segment["type"] for segment in segments]):
        nodes = segments[0]["type"] == "node"
        uris = tuple(media_of(segments))
        digests = " ".join(sorted({blake2b(uri.encode(), digest_size=8).hexdigest() for uri in uris}))
        remote = any(not uri.startswith(INLINE) for uri in uris)
        uploaded = sum(map(inline_bytes, uris)) + REMOTE_BYTES * remote
        timeout_ms += uploaded * 1000 // UPLOAD_BYTES_PER_S
        if markdown != "markdown":
            message = [_renamed(segment, markdown) for segment in segments]
    body["message"] = message
    if nodes:
        body |= job.card
    body["timeout"] = timeout_ms
    written = to_json(body, ensure_ascii=True)
    if len(written) > MAX_BODY:
        reason = (
            f"the call has {len(written)} bytes, and NapCat stands still while it reads so many: at most {MAX_BODY}; "
            "send less at once, or media as a URL or a path"
        )
        raise refusal([Fault("message", reason, "message_size")])
    action = "send_group_msg" if job.user_id is None else "send_private_msg"
    return Part(action, written, timeout_ms, FETCH_MS if remote else 0, fingerprint(segments), nodes, digests)


def _renamed(segment: Segment, markdown: str) -> Any:
    """Return a segment with markdown, also inside nodes, under the type the account knows it by."""
    data: Any = segment["data"]
    if segment["type"] == "markdown":
        return {**segment, "type": markdown}
    if segment["type"] == "node" and "content" in data:
        return {**segment, "data": {**data, "content": [_renamed(inner, markdown) for inner in data["content"]]}}
    return segment
