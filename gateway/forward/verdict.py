"""What an answer proves, and what follows for the attempt: pure, without clock, chance or network.

QQ's own code comes in three spellings: NapCat's `EventChecker Failed: … EventRet: {json}`, LLOneBot's
`发送消息失败 (code=N): …` and Lagrange's bare `retcode`. The first two are read here into `kind` and `result`; the
third is a retcode and matched as one.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Literal, NamedTuple

from gateway.model.attempt import Claim, Outcome, Settlement
from gateway.model.verdict import Answer, Implementation, Rule, Ruling, Spans, Verdict

UNMATCHED = Rule.model_construct(
    name="unmatched",
    verdict=Verdict.UNKNOWN,
    advice="No rule knows this answer; look into the chat, and add one to delivery.rules if it comes often.",
)
"""What decides when no rule does: unknown failures are never repeated blindly."""

_LONGEST_RETRY_AFTER_MS = 600_000
NO_SCHEDULE_MS = 1_000
"""The wait of a rule that repeats for ever and has none of its own: never in a circle."""

_NORMAL = {1200: 200, 1400: 400}  # the WebSocket spellings of the same facts
_READ = 8192  # an answer says what it has to say within this; bounds every regular expression below
_CUT = 200
_MOST_KNOWN = 256  # rulings kept: a peer may answer with any number

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


class _Told(NamedTuple):
    """What QQ itself said, as far as the answer's text passes it on."""

    kind: Literal["rejected", "timeout"] | None = None
    result: int | None = None
    words: str | None = None


def judge(answer: Answer, rules: Sequence[Rule], implementation: Implementation | None = None) -> Ruling:
    """Return the first rule that matches the answer; `UNMATCHED` (unknown) when none does.

    IMPLEMENTATION is the program that answered; None when that is not known, and then the rows of all apply.
    """
    text = answer.text[:_READ]
    told = _told(text)
    retcode = _NORMAL.get(answer.retcode, answer.retcode) if answer.retcode is not None else None
    for rule in rules:
        if _speaks(rule, implementation) and _matches(rule, answer, retcode, told, text):
            return Ruling(rule, rule.verdict, told.result, _clean(text, told))
    return Ruling(UNMATCHED, Verdict.UNKNOWN, told.result, _clean(text, told))


def judging(rules: Sequence[Rule]) -> Callable[[Answer, Implementation | None], Ruling]:
    """Return `judge` by RULES, which judges once what comes without words, as nearly all answers do."""
    known: dict[tuple[object, ...], Ruling] = {}

    def judged(answer: Answer, implementation: Implementation | None) -> Ruling:
        if answer.text:
            return judge(answer, rules, implementation)
        *said, message_id, _ = answer
        told = (*said, message_id is None, implementation)
        ruling = known.get(told)
        if ruling is None:
            if len(known) == _MOST_KNOWN:
                known.clear()
            ruling = known[told] = judge(answer, rules, implementation)
        return ruling

    return judged


def decide(
    claim: Claim, answer: Answer, ruling: Ruling, schedule: Sequence[int], chance: float, took_ms: int
) -> Outcome:
    """Return what becomes of the claimed attempt: the ruling with the waits applied.

    schedule  waits in milliseconds for rules that bring none; their number is the number of retries
    chance    in [0, 1): spreads each wait evenly over ±20 %

    A rule that does not spend retries is never exhausted: what it holds governs and the wait is 0, or it repeats its
    first wait.
    """
    rule = ruling.rule
    settlement: Settlement = ruling.verdict.value
    at_fault = _at_fault(claim, rule)
    spends = rule.spends or at_fault
    waits = rule.waits or schedule
    wait_ms = 0
    if ruling.verdict is Verdict.RETRY and spends and claim.retries >= len(waits):
        settlement = rule.then
    elif ruling.verdict is Verdict.RETRY and (spends or not holds(rule)):
        planned = waits[claim.retries] if spends else max(next(iter(waits), 0), NO_SCHEDULE_MS)
        wait_ms = _wait(planned, chance, answer)
    return Outcome(
        claim=claim,
        settlement=settlement,
        verdict=ruling.verdict,
        rule=rule.name,
        wait_ms=wait_ms,
        spends=spends,
        effect=None if at_fault else rule.effect,
        hold_ms=rule.hold if rule.effect else 0,
        after=rule.after,
        widespread=rule.widespread,
        message_id=answer.message_id if settlement == "delivered" else None,
        http_status=answer.http_status,
        retcode=answer.retcode,
        result=ruling.result,
        text=ruling.text,
        took_ms=took_ms,
        unmatched=phrasing(answer.text) if rule is UNMATCHED else "",
    )


def _wait(planned: int, chance: float, answer: Answer) -> int:
    """Return the PLANNED wait, spread by CHANCE; longer where the answer asks for more, up to 10 minutes."""
    return max(round(planned * (0.8 + 0.4 * chance)), min(answer.retry_after or 0, _LONGEST_RETRY_AFTER_MS))


def holds(rule: Rule) -> bool:
    """Return whether a rule holds its target or account at once, so that its hold says when to try again."""
    return rule.effect in {"park", "pause"} and rule.after == 1


def _at_fault(claim: Claim, rule: Rule) -> bool:
    """Return whether a message has met the rule so often that it must be the message: others get through meanwhile."""
    return rule.pardons is not None and claim.pardoned_by == rule.name and claim.pardons >= rule.pardons


def phrasing(text: str) -> str:
    """Return 8 hex characters over how an answer is worded: equal for texts that differ in numbers and ids only."""
    shape = _NUMBER.sub("#", _clean(text[:_READ], _Told()))
    return blake2b(shape.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def clean(text: str) -> str:
    """Return an answer's words as one line of at most 200 characters, fit for anyone who reads receipts.

    Stack traces, paths, URIs, inline media and control characters are left out; of a kernel's answer QQ's
    code and words are kept: `EventChecker Failed: result 120 你已被禁言，消息无法发送。`.
    """
    text = text[:_READ]
    return _clean(text, _told(text))


def _clean(text: str, told: _Told) -> str:
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


def _told(text: str) -> _Told:
    """Read the code that QQ gave before anybody looks at words."""
    if match := _SERVER.match(text):
        return _Told("rejected", int(match[1]))
    if (match := _KERNEL.match(text)) is None:
        return _Told()
    try:
        ret = json.loads(match[3])
    except (ValueError, RecursionError):
        ret = {}
    value, words = ret.get("result"), ret.get("errMsg")
    result = value if type(value) is int and abs(value) < 2**53 else None
    said = f"result {result}" if result is not None else "no result"
    if isinstance(words, str) and words:
        said += " " + " ".join(words.split())
    return _Told("timeout" if match[1] == "Timeout" else "rejected", result, f"{match[1]}: {said}")


def _speaks(rule: Rule, implementation: Implementation | None) -> bool:
    return rule.implementation is None or implementation is None or implementation in rule.implementation


def _matches(rule: Rule, answer: Answer, retcode: int | None, told: _Told, text: str) -> bool:
    return (
        (rule.transport is None or rule.transport == answer.transport)
        and (rule.http is None or _within(answer.http_status, rule.http))
        and (rule.error is None or answer.error in rule.error)
        and (rule.status is None or answer.status in rule.status)
        and (rule.retcode is None or _within(retcode, rule.retcode))
        and (rule.kind is None or rule.kind == told.kind)
        and (rule.result is None or _within(told.result, rule.result))
        and (rule.nodes is None or rule.nodes == answer.nodes)
        and (rule.message_id is None or rule.message_id == (answer.message_id is not None))
        and (rule.text is None or rule.text.search(text) is not None)
    )


def _within(number: int | None, spans: Spans) -> bool:
    if number is None:
        return False
    return any(number == span if isinstance(span, int) else span[0] <= number <= span[1] for span in spans)
