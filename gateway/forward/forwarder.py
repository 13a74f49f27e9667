"""From a claim to an outcome: one NapCat call, judged and logged."""

import asyncio
from collections.abc import Sequence
from functools import cache

from gateway.clock import Clock
from gateway.forward.napcat import NapCat
from gateway.forward.verdict import decide, judging
from gateway.forward.watch import Watch
from gateway.metrics import Metrics
from gateway.model.attempt import Claim, Outcome
from gateway.model.errors import NotSent, StoreUnavailable
from gateway.model.verdict import Answer, Rule, Ruling
from gateway.model.words import Words
from gateway.telemetry import Event, Log


class Forwarder:
    """Sends the claims of one account."""

    def __init__(
        self,
        account: str,
        napcat: NapCat,
        watch: Watch,
        rules: Sequence[Rule],
        schedule: Sequence[int],
        clock: Clock,
        metrics: Metrics,
        words: Words,
    ) -> None:
        """Judge answers by RULES and retry by SCHEDULE (milliseconds); WATCH knows which program answers.

        WORDS know what the log may say of a message.
        """
        self._account = account
        self._napcat = napcat
        self._watch = watch
        self._judge = judging(rules)
        self._schedule = schedule
        self._clock = clock
        # Looking a child up by its labels takes longer than counting with it.
        self._attempts = cache(metrics.attempts.labels)
        self._seconds = cache(metrics.send_seconds.labels)
        self._words = words
        self._log = Log(account=account)

    async def forward(self, claim: Claim) -> Outcome:
        """Post the claim's part and return what came of it; a claim past its start time is handed back unsent."""
        try:
            if not self._watch.fresh and not await self._ready(claim):
                return Outcome(claim, "unstarted")
            began = self._clock.monotonic()
            answer = await self._napcat.call(claim.part, lambda: self._clock.monotonic() <= claim.start_by)
        except NotSent as error:
            self._log.warning(
                Event.JOB_WITHHELD, job=f"{self._account}.{claim.job_id}", attempt=claim.n, reason=str(error)
            )
            return Outcome(claim, "unstarted")
        except StoreUnavailable:
            return Outcome(claim, "unstarted")
        self._watch.hear(answer)
        took_ms = round((self._clock.monotonic() - began) * 1000)
        ruling = self._judge(answer, self._watch.implementation)
        outcome = decide(claim, answer, ruling, self._schedule, self._clock.chance(), took_ms)
        self._tell(answer, ruling, outcome)
        return outcome

    async def _ready(self, claim: Claim) -> bool:
        try:
            return await self._watch.ready(claim.start_by)
        except asyncio.CancelledError:
            return False  # we stop, and nothing has left: the lane is handed back as it was

    def _tell(self, answer: Answer, ruling: Ruling, outcome: Outcome) -> None:
        """Count and log an attempt: one line with all that is known of it."""
        claim, verdict = outcome.claim, ruling.verdict.value
        self._attempts(self._account, verdict, outcome.rule).inc()
        self._seconds(self._account).observe(outcome.took_ms / 1000)
        self._log.info(
            Event.JOB_ATTEMPTED,
            job=f"{self._account}.{claim.job_id}",
            target=str(claim.target),
            attempt=claim.n,
            part=claim.part_no,
            verdict=verdict,
            rule=outcome.rule,
            http_status=answer.http_status,
            retcode=answer.retcode,
            result=ruling.result,
            message_id=answer.message_id,
            took_ms=outcome.took_ms,
            settlement=outcome.settlement,
            next_in_s=outcome.wait_ms / 1000 if outcome.settlement == "retry" else None,
            effect=outcome.effect,
            **self._beside(claim),
        )
        if outcome.unmatched:
            self._log.warning(
                Event.ANSWER_UNMATCHED, job=f"{self._account}.{claim.job_id}", fingerprint=outcome.unmatched
            )

    def _beside(self, claim: Claim) -> dict[str, str]:
        """Return what the log says of few jobs, or only when wished for."""
        if claim.traceparent is None and not self._words.wished:
            return {}
        beside = {"traceparent": claim.traceparent, "text": self._words.of([claim.part.body])}
        return {name: value for name, value in beside.items() if value is not None}
