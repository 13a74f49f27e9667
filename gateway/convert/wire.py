"""The exact request of one NapCat call."""

import json
from typing import Any

from gateway.convert.fingerprint import fingerprint
from gateway.convert.media import INLINE, inline_bytes, media_of
from gateway.model.job import Job
from gateway.model.part import Part
from gateway.model.segment import AnySegment

UPLOAD_BYTES_PER_S = 256 * 1024
FETCH_MS = 60_000
REMOTE_BYTES = 15 * 1024**2  # a size to reckon with where NapCat fetches the media and only it will know
_spell = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # ensure_ascii is its default


def write_part(job: Job, segments: tuple[AnySegment, ...], timeout_ms: int) -> Part:
    """Return the part that sends these segments to the job's target.

    The body is ASCII-only JSON, because NapCat decodes each TCP chunk by itself and so corrupts characters that lie
    across two (http-server.ts), and its ids are strings, because a JSON number loses digits over 2^53. `timeout_ms` is
    the wait for a text, in milliseconds; media adds its size at NapCat's own 256 KB/s (config.ts), since the field
    replaces the wait NapCat would reckon by itself.
    """
    message = [segment.model_dump(exclude_none=True) for segment in segments]
    uris = tuple(media_of(segments))
    nodes = segments[0].type == "node"
    remote = any(not uri.startswith(INLINE) for uri in uris)
    uploaded = sum(map(inline_bytes, uris)) + REMOTE_BYTES * remote
    wait_ms = timeout_ms + uploaded * 1000 // UPLOAD_BYTES_PER_S
    body: dict[str, Any] = {"group_id": job.group_id, "user_id": job.user_id, "message": message}
    if nodes:
        body |= {"source": job.source, "news": job.news, "summary": job.summary, "prompt": job.prompt}
    body["timeout"] = wait_ms
    return Part(
        action="send_group_msg" if job.target.kind == "group" else "send_private_msg",
        body=_spell({name: value for name, value in body.items() if value is not None}).encode("ascii"),
        timeout_ms=wait_ms,
        fetch_ms=FETCH_MS if remote else 0,
        fingerprint=fingerprint(message),
        nodes=nodes,
    )
