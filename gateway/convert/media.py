"""Media: one checked `file` value for each medium of a segment."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from gateway.convert.location import BAD_ESCAPE, admit_path, admit_url
from gateway.model.segment import Segment
from gateway.model.segment_types import MEDIA
from gateway.model.spelling import carried
from gateway.settings import Media

INLINE = "base64://"
MAX_URI = 8192
_BASE64 = re.compile(r";\s*base64\s*", re.IGNORECASE)
_TEXTUAL = re.compile(r"\s*(text/|image/svg\+xml|application/json|;|$)", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_NOT_IN_NAME = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')


def resolve(kind: str, data: dict[str, Any], media: Media) -> list[tuple[str, str]]:
    """Give a medium's data the one `file` that NapCat may have, in place; return the faults as (field, reason).

    Of `url`, `file` and `path` the first that is not empty counts. A `file` segment without a name gets one.
    """
    faults: list[tuple[str, str]] = []
    source = "url" if data.get("url") else "file" if data.get("file") else "path"  # NapCat's order (api/msg.ts)
    given = data.get(source)
    if not given:
        return [("file", "is missing: give a URL, base64://… or a path under media.file_roots")]
    try:
        data["file"] = admit(given, media)
    except ValueError as error:
        faults.append((source, str(error)))
    data.pop("url", None)
    data.pop("path", None)
    if kind == "file" and "name" not in data:
        data["name"] = _name_of(given)
    if kind == "video" and not data.get("thumb", True):
        del data["thumb"]
    if kind == "video" and "thumb" in data:
        try:
            data["thumb"] = admit(data["thumb"], media)
        except ValueError as error:
            faults.append(("thumb", str(error)))
    return faults


def admit(uri: str, media: Media) -> str:
    """Return the canonical form of a medium's URI; raise ValueError with reason and remedy if it may not be sent.

    `http(s)://` and files are subject to `media`; `base64://` and `data:` are decoded strictly, counted against
    `media.max_inline` (bytes, decoded) and encoded afresh as `base64://`.
    """
    scheme, colon, rest = uri.partition(":")
    kind = scheme.lower()
    if kind == "base64" and rest.startswith("//"):
        return _inline(rest[2:], media)
    if kind == "data" and colon:
        return _data_url(rest, media)
    if len(carried(uri)) > MAX_URI:
        raise ValueError(f"a URL or path has at most {MAX_URI} characters; give a shorter one")
    if kind in ("http", "https") and rest.startswith("//"):
        uri = f"{kind}:{rest}"
        admit_url(uri, media)
    elif kind == "file" and rest.startswith("//"):
        uri = f"{kind}:{rest}"
        admit_path(uri, media)
    elif _SCHEME.match(uri):
        raise ValueError(
            f"NapCat does not fetch {scheme[:20]}:; use http(s)://, base64://, data:, or file:// under a folder "
            "in media.file_roots"
        )
    else:
        admit_path(uri, media)
    return uri


def _inline(text: str, media: Media) -> str:
    _refuse_large(len(text) // 4 * 3 - 2, media)
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the base64 is broken; encode with the standard alphabet and padding, no blanks") from None
    return _encoded(decoded, media)


def _data_url(rest: str, media: Media) -> str:
    head, comma, payload = rest.partition(",")
    if not comma:
        raise ValueError("a data: URL has a comma before its data; write data:<type>;base64,<data>")
    _refuse_large(len(payload) // 9, media)  # at the least: each character may be percent-encoded
    if BAD_ESCAPE.search(payload):
        raise ValueError("the data: URL has a % that encodes nothing; write % as %25")
    kind, base64_mark, more = _split_head(head)
    if more or (not base64_mark and not _TEXTUAL.match(kind)):
        raise ValueError("media in a data: URL is base64; write data:<type>;base64,<data>")
    if base64_mark:
        return _inline(unquote(payload), media)
    return _encoded(unquote_to_bytes(payload.encode("utf-8", "replace")), media)


def _split_head(head: str) -> tuple[str, str, str]:
    """Cut the head of a data: URL at its `;base64`: what stands before it, itself, and what should not follow."""
    found = _BASE64.search(head)
    return (head[: found.start()], found[0], head[found.end() :]) if found else (head, "", "")


def _encoded(decoded: bytes, media: Media) -> str:
    if not decoded:
        raise ValueError("the inline media is empty; NapCat refuses media of 0 bytes")
    _refuse_large(len(decoded), media)
    return INLINE + base64.b64encode(decoded).decode("ascii")


def _refuse_large(size: int, media: Media) -> None:
    if size > media.max_inline:
        raise ValueError(
            f"inline media may have {media.max_inline} bytes (media.max_inline), this has about {size}; give a "
            "URL or a path that NapCat can reach"
        )


def _name_of(uri: str) -> str:
    """Return a file name from the end of a URL or path, `file` where there is none."""
    if uri[:7].lower() == "base64:" or uri[:5].lower() == "data:":
        return "file"
    try:
        path = urlsplit(uri).path if uri[:4].lower() == "http" else uri
    except ValueError:
        return "file"
    if not uri.startswith(("/", "\\")):
        path = unquote(path)
    name = _NOT_IN_NAME.sub("_", re.split(r"[\\/]", path)[-1])[-120:]
    return name if name.strip(". ") else "file"


def media_of(segments: Iterable[Segment]) -> Iterator[str]:
    """Yield the resolved URI of every medium in the segments, those inside nodes included."""
    for segment in segments:
        data: Any = segment["data"]
        if segment["type"] in MEDIA:
            yield data["file"]
            if "thumb" in data:
                yield data["thumb"]
        elif segment["type"] == "node" and "content" in data:
            yield from media_of(data["content"])


def inline_bytes(uri: str) -> int:
    """Return the decoded size of a canonical `base64://` URI in bytes, 0 for media that NapCat fetches."""
    if not uri.startswith(INLINE):
        return 0
    return (len(uri) - len(INLINE)) // 4 * 3 - uri[-2:].count("=")
