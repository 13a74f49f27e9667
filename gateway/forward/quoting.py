"""What an answer's text says: the code that QQ gave, the words fit to be shown, and how it is worded. Pure.

QQ's own code comes in three spellings: NapCat's `EventChecker Failed: … EventRet: {json}`, LLOneBot's
`发送消息失败 (code=N): …` and Lagrange's bare `retcode`. The first two are read here into `kind` and `result`; the
third is a retcode and matched as one.
"""

import json
import re
import unicodedata
from hashlib import blake2b
from typing import Literal, NamedTuple

MOST_READ = 8192  # an answer says what it has to say within this; bounds every regular expression below
_CUT = 200

_KERNEL = re.compile(
    r"^(EventChecker Failed|Timeout): NTEvent serviceAndMethod:(\S+) .*?EventRet:\s*(\{.*\})\s*$", re.DOTALL
)
_SERVER = re.compile(r"^发送消息失败 \(code=(-?\d{1,18})\)")

_NUMBER = re.compile(r"\b(?=\w*\d)[\w-]+\b", re.ASCII)
_STACK = re.compile(r"^\s*at\s.*(:\d+:\d+\)?|\((native|<anonymous>|index \d+)\)|<anonymous>)\s*$")
_TAG = re.compile(r"<[^<>]*>")
_PLACES = re.compile(
    r"""
      (?P<quote>['"`])[^'"`]*[\\/][^'"`]*(?P=quote)     # a quoted path, blanks included
    | data:\S+                                          # inline media
    | [A-Za-z][\w+.-]*:[\\/]+\S*                        # a URI or a drive: may carry secrets or content
    | [^\s，。：；]*\\\S*                               # any other Windows path
    | [\\/][^\s'"`()<>，。：；]*[\\/][^\s'"`()<>，。：；]*  # a path of two steps or more
    | (?<!\w)[\\/][^\s'"`()<>，。：；]+                 # an absolute path of one step
    """,
    re.VERBOSE,
)


class Told(NamedTuple):
    """What QQ itself said, as far as the answer's text passes it on."""

    kind: Literal["rejected", "timeout"] | None = None
    result: int | None = None
    words: str | None = None


def told_in(text: str) -> Told:
    """Read the code that QQ gave before anybody looks at words."""
    if match := _SERVER.match(text):
        return Told("rejected", int(match[1]))
    if (match := _KERNEL.match(text)) is None:
        return Told()
    try:
        ret = json.loads(match[3])
    except (ValueError, RecursionError):
        ret = {}
    value, words = ret.get("result"), ret.get("errMsg")
    result = value if type(value) is int and abs(value) < 2**53 else None
    said = f"result {result}" if result is not None else "no result"
    if isinstance(words, str) and words:
        said += " " + " ".join(words.split())
    return Told("timeout" if match[1] == "Timeout" else "rejected", result, f"{match[1]}: {said}")


def clean(text: str) -> str:
    """Return an answer's words as one line of at most 200 characters, fit for anyone who reads receipts.

    Stack traces, paths, URIs, inline media and control characters are left out; of a kernel's answer QQ's
    code and words are kept: `EventChecker Failed: result 120 你已被禁言，消息无法发送。`.
    """
    text = text[:MOST_READ]
    return quote(text, told_in(text))


def quote(text: str, told: Told) -> str:
    """Return what `clean` does of a text in which TOLD was read."""
    if not text:
        return ""
    if told.words is not None:
        text = told.words
    elif text.lstrip().startswith("<"):
        text = _TAG.sub(" ", text)
    # printable first: a character that is dropped later could join two halves of a path
    lines = ("".join(filter(_shown, line)).strip() for line in text.splitlines())
    line = next((line for line in lines if line and not _STACK.match(line)), "")
    line = _PLACES.sub("…", line[: 5 * _CUT])
    return line if len(line) <= _CUT else line[: _CUT - 1] + "…"


def _shown(character: str) -> bool:
    """Control, format (text direction), surrogate, private and unassigned characters are not shown."""
    return not unicodedata.category(character).startswith("C")


def phrasing(text: str) -> str:
    """Return 8 hex characters over how an answer is worded: equal for texts that differ in numbers and ids only."""
    shape = _NUMBER.sub("#", quote(text[:MOST_READ], Told()))
    return blake2b(shape.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
