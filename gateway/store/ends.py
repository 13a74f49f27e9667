"""The ends of jobs, whoever ended them: each is written to the log, counted and timed here, and nowhere else."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from prometheus_client import Counter, Histogram

from gateway.metrics import Metrics
from gateway.model.trace import traceparent_of
from gateway.model.words import Words
from gateway.store.values import Ended
from gateway.telemetry import Event, Log

_LOST = frozenset({"rejected", "dead", "unconfirmed"})  # ends that someone may have to look at
_FIRST_RARE = Ended._fields.index("settle_ms")  # from here on: what is known of few jobs
_RARE = Ended._fields[_FIRST_RARE:]
_NOTHING_RARE = tuple(Ended._field_defaults[name] for name in _RARE)


class Ends:
    """Takes what the scripts reply about the jobs they ended."""

    def __init__(self, announce: Callable[[str], None], metrics: Metrics, words: Words) -> None:
        """Tell ANNOUNCE which account has a callback due; WORDS know what the log may say of the message."""
        self._announce = announce
        self._metrics = metrics
        self._words = words
        self._log = Log()
        # Looking a child up by its labels takes longer than counting with it.
        self._counted = cache(self._children)

    def take(self, account: str, reply: Sequence[Sequence[Any]]) -> list[Ended]:
        """Write down what ended in ACCOUNT, and return it.

        The log is no record: of a script whose reply was lost only a tick tells again, and a process that dies tells no
        more. Receipts are.
        """
        ended = [self._read(fields) for fields in reply]
        for one in ended:
            self._count(account, one)
            self._write(account, one)
        if any(one.callback for one in ended):
            self._announce(account)
        return ended

    def _count(self, account: str, one: Ended) -> None:
        counter, ages = self._counted(account, one.state)
        counter.inc()
        if not one.corrected:
            ages.observe(one.age_ms / 1000)
        if one.settle_ms is not None:
            self._metrics.settle_seconds.labels(account).observe(one.settle_ms / 1000)

    def _children(self, account: str, state: str) -> tuple[Counter, Histogram]:
        return self._metrics.ended.labels(account, state), self._metrics.end_to_end_seconds.labels(account, state)

    def _write(self, account: str, one: Ended) -> None:
        rare = one[_FIRST_RARE:]
        (self._log.warning if one.state in _LOST else self._log.info)(
            Event.JOB_ENDED,
            account=account,
            job=f"{account}.{one.job_id}",
            target=one.target,
            state=one.state,
            code=one.code or None,
            evidence=one.evidence or None,
            parts={"total": one.parts, "delivered": one.delivered},
            attempts=one.attempts,
            message_ids=one.message_ids,
            age_ms=one.age_ms,
            queued_ms=one.queued_ms,
            **({} if rare == _NOTHING_RARE else _known(rare)),
        )

    def _read(self, fields: Sequence[Any]) -> Ended:
        job, target, state, code, callback, age, queued, attempts, delivered, parts, message_ids, evidence, rare = (
            fields
        )
        one = Ended(
            job.decode(),
            target.decode(),
            state.decode(),
            code.decode(),
            callback.decode(),
            age,
            queued if queued >= 0 else None,
            attempts,
            delivered,
            parts,
            message_ids,
            evidence.decode(),
        )
        return self._with_rare(one, dict(zip(rare[::2], rare[1::2], strict=True))) if rare else one

    def _with_rare(self, one: Ended, known: dict[bytes, Any]) -> Ended:
        return one._replace(
            settle_ms=known.get(b"settle"),
            key=_text(known.get(b"key")),
            requester=_text(known.get(b"requester")),
            replay_of=_text(known.get(b"replay_of")),
            corrected=b"corrected" in known,
            traceparent=traceparent_of(known[b"metadata"]) if b"metadata" in known else None,
            text=self._words.of(known.get(b"bodies", ())),
        )


def _known(rare: Sequence[Any]) -> dict[str, Any]:
    return {name: value for name, value in zip(_RARE, rare, strict=True) if value is not None and value is not False}


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
