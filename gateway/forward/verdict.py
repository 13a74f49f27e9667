"""What an answer proves, and what follows for the attempt: pure, without clock, chance or network."""

from collections.abc import Callable, Sequence

from gateway.forward.quoting import MOST_READ, Told, phrasing, quote, told_in
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
_MOST_KNOWN = 256  # rulings kept: a peer may answer with any number


def judge(answer: Answer, rules: Sequence[Rule], implementation: Implementation | None = None) -> Ruling:
    """Return the first rule that matches the answer; `UNMATCHED` (unknown) when none does.

    IMPLEMENTATION is the program that answered; None when that is not known, and then the rows of all apply.
    """
    text = answer.text[:MOST_READ]
    told = told_in(text)
    retcode = _NORMAL.get(answer.retcode, answer.retcode) if answer.retcode is not None else None
    for rule in rules:
        if _speaks(rule, implementation) and _matches(rule, answer, retcode, told, text):
            return Ruling(rule, rule.verdict, told.result, quote(text, told))
    return Ruling(UNMATCHED, Verdict.UNKNOWN, told.result, quote(text, told))


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


def _speaks(rule: Rule, implementation: Implementation | None) -> bool:
    return rule.implementation is None or implementation is None or implementation in rule.implementation


def _matches(rule: Rule, answer: Answer, retcode: int | None, told: Told, text: str) -> bool:
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
