"""A fingerprint by which a sent message is known again in what NapCat reports of it."""

from hashlib import blake2b

from gateway.model.segment_types import REPORTED_AS, TOLD_BY

_REPORTED_AS = {**REPORTED_AS, "onlinefile": "file"}  # our files, too, may be reported like this


def fingerprint(segments: object) -> str:
    """Return 16 hex characters over segment types and text; equal for a sent part and NapCat's report of it.

    Counted: text (adjacent text as one, line ends as newlines, since QQ reports them as it likes), the `qq` of
    at, the `id` of face, and the type alone of everything else: names, URLs and drawn results change. Not
    counted: replies (NapCat drops one whose message it no longer knows), and what is no segment. Merged forwards
    and cards are all alike: QQ reports them as ark or as forward. Never raises, whatever an event contains.
    """
    words: list[str] = []
    texts: list[str] = []
    for segment in segments if isinstance(segments, list | tuple) else ():
        kind = segment.get("type") if isinstance(segment, dict) else None
        if not isinstance(kind, str) or kind == "reply":
            continue
        value = None
        if (name := TOLD_BY.get(kind)) is not None and isinstance(data := segment.get("data"), dict):
            value = data.get(name)
            if not isinstance(value, str):
                value = str(value) if isinstance(value, int) and abs(value) < 2**64 else ""
        if kind == "text":
            texts.append(value or "")
            continue
        if texts:
            words.append("".join(("text=", *texts)))
            texts.clear()
        words.append(f"{kind}={value}" if value is not None else _REPORTED_AS.get(kind, kind))
    if texts:
        words.append("".join(("text=", *texts)))
    if "text=" in words:
        words = [word for word in words if word != "text="]
    if words.count("card") == len(words):
        words = words[:1]  # the nodes of one forward are reported as one card
    # NUL parts the words: no text that is sent has one
    whole = "\0".join(words)
    if "\r" in whole:
        whole = whole.replace("\r\n", "\n").replace("\r", "\n")
    return blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
