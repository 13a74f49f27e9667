"""The client's one class."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Self

from typing_extensions import Unpack

from gateway.client.answers import JobFields, Replayed, Replays, Submitted
from gateway.client.errors import Unavailable
from gateway.client.over_http import OverHttp
from gateway.client.over_redis import OverRedis
from gateway.client.writing import Moment, Span, job_document, moment, rfc3339, seconds
from gateway.model.errors import Refused
from gateway.model.job import Job
from gateway.model.receipt import Receipt, State

JobLike = Job | Mapping[str, Any]
Handle = str | Submitted | Receipt
"""A job: its id, `key:<its idempotency key>`, or what `send` or `receipt` returned."""

_REDIS = re.compile(r"(rediss?(\+(sentinel|cluster))?|unix):")


class Gateway:
    """A gateway, over HTTP or by its streams in Redis; use it as `async with Gateway(url) as gateway`.

    Over HTTP everything is known and everything can be done, as far as KEY (`gw_…`) is allowed to. Over Redis jobs are
    pushed and receipts read, with no more than the public streams: see `receipt` and `receipts`.

    A call that is Unavailable is repeated, with growing pauses or as the gateway's Retry-After says, until PATIENCE is
    over; then it raises Unavailable. The errors of all methods are those of `gateway.client.errors`.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        base_url: str | None = None,
        redis_url: str | None = None,
        prefix: str = "gw",
        stream: str = "gw:jobs",
        accounts: Sequence[str] = ("main",),
        patience: Span = "30s",
    ) -> None:
        """Prepare to talk to the gateway at URL (`http://…`, or its Redis: a `redis.url`); nothing connects yet.

        `base_url` and `redis_url` say the same more loudly. PREFIX, STREAM and ACCOUNTS are for Redis: `redis.prefix`
        and one of `intake.streams` of the gateway, and the accounts whose receipts are read.
        """
        if sum(given is not None for given in (url, base_url, redis_url)) != 1:
            raise Refused("url_invalid", "give one address: base_url (http://…) or redis_url (redis://…)")
        if url is not None:
            base_url, redis_url = (None, url) if _REDIS.match(url) else (url, None)
        longest = seconds(patience, "patience")
        self._http = OverHttp(base_url, key, longest) if base_url is not None else None
        self._redis = OverRedis(redis_url, prefix, stream, accounts, longest) if redis_url is not None else None

    async def __aenter__(self) -> Self:
        """Return the client; it connects with its first call."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._way.close()

    async def send(self, job: JobLike | None = None, /, **fields: Unpack[JobFields]) -> Submitted:
        """Submit a job, and return once the gateway, or Redis, has it for good.

        Every job carries an idempotency key, made here when none is given. So a send whose answer was lost is repeated
        safely, and it is: here until the patience is over, and by you with the key of the first try. Raises Refused,
        with every wrong field in `errors`. Over Redis only a job's form is checked: what the gateway refuses later
        stands in `gw:invalid`, and `receipt` raises it for the Submitted that is returned here.
        """
        made = fields.get("key") is None and (job is None or _key(job) is None)
        submitted = await self._way.send(job_document(job, fields))
        return _first(submitted) if made else submitted

    async def batch(self, jobs: Iterable[JobLike]) -> list[Submitted | Refused | Unavailable]:
        """Submit many jobs, each by itself; return what became of each, in their order.

        What is refused, or could not be submitted in time, is an error in the list and no exception. Jobs of one
        target keep their order, unless some had to be repeated because the queue was full or the key's rate spent.
        """
        given = list(jobs)
        outcomes = await self._way.batch([job_document(job, {}) for job in given])
        return [
            _first(outcome) if isinstance(outcome, Submitted) and _key(job) is None else outcome
            for job, outcome in zip(given, outcomes, strict=True)
        ]

    async def receipt(self, job: Handle, *, account: str | None = None, wait: Span | None = None) -> Receipt:
        """Return what became of a job: when it has ended, or as it is when WAIT is over (default: at once).

        ACCOUNT is where a key is looked up; default: the first. Raises NotFound. Over Redis a receipt comes from the
        public stream alone: nothing is known of a job before its first change (`unknown` or an end), nor after
        `results.stream` others; Refused is raised when JOB is a Submitted that the gateway refused.
        """
        wait_s = 0.0 if wait is None else seconds(wait, "wait")
        if self._redis is not None:
            entry = job.entry if isinstance(job, Submitted) else None
            return await self._redis.receipt(_handle(job), account, wait_s, entry)
        return await self._over_http("receipt").receipt(_handle(job), account, wait_s)

    def receipts(
        self, *, account: str | None = None, since: Moment | None = None, every: Span = 1.0
    ) -> AsyncIterator[Receipt]:
        """Yield receipts of jobs as they change, without end: those that became `unknown`, or ended, or were corrected.

        SINCE is a time, or a timedelta ago, from which on changes are told; default: from now on. Go on after an
        interruption with `since=receipt.updated_at` of the last one; those of that very moment come again.

        Over Redis: every change as it happens, in order; SINCE may be an entry id too. A stream keeps `results.stream`
        entries: who is further behind misses the oldest, and should ask over HTTP.

        Over HTTP: the list of what changed, asked for EVERY second, and less often where it is long: with hundreds of
        thousands of records Redis is the better way. No job that changed is missed and no change is told twice, but of
        several changes between two questions only the last is told. Without SINCE the clocks of gateway and Redis may
        differ by a minute.
        """
        if self._redis is not None:
            return self._redis.receipts(account, since)
        return self._over_http("receipts").receipts(account, since, seconds(every, "every"))

    def jobs(
        self,
        *,
        state: State | Sequence[State] | None = None,
        target: str | None = None,
        account: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Receipt]:
        """Yield the jobs with these states, target and account that changed between SINCE and UNTIL, newest first.

        All of them, or LIMIT. Receipts in lists have no attempts. HTTP only.
        """
        return self._over_http("jobs").jobs(_filter(state, target, account, since, until), limit)

    async def cancel(self, job: Handle, *, account: str | None = None, recall: bool = False) -> Receipt:
        """Cancel a job, or with RECALL take a delivered one back at QQ; HTTP only.

        Raises Conflict when it is too late, and RecallFailed when NapCat would not take it back.
        """
        return await self._over_http("cancel").cancel(_handle(job), account, recall=recall)

    async def replay(self, job: Handle, *, account: str | None = None) -> Replayed:
        """Send what is left of an ended job again, as a new job; of one replayed before return that. HTTP only, admin.

        Raises Conflict when it has not ended, or everything of it was delivered.
        """
        return await self._over_http("replay").replay(_handle(job), account)

    async def replay_many(
        self,
        *,
        state: State | Sequence[State],
        target: str | None = None,
        account: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        dry_run: bool = False,
    ) -> Replays:
        """Replay all jobs with these states, oldest first, at most 1,000 a call, or only count them; HTTP only, admin.

        While `count` is larger than the number of items there are more: call again.
        """
        over_http = self._over_http("replay_many")
        wish = {
            name: value for name, value in _filter(None, target, account, since, until).items() if value is not None
        }
        states = [state] if isinstance(state, str) else list(state)
        return await over_http.replay_many({**wish, "state": states, **({"dry_run": True} if dry_run else {})})

    async def status(self) -> dict[str, Any]:
        """Return `/status` as it is, also of a gateway that is down; HTTP only."""
        return await self._over_http("status").document("/status", also=(503,))

    async def accounts(self) -> list[dict[str, Any]]:
        """Return the accounts with their backlogs, holds and rates, as `/v1/accounts` tells them; HTTP only."""
        items = (await self._over_http("accounts").document("/v1/accounts")).get("items")
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    async def reload(self) -> dict[str, Any]:
        """Have the gateway apply its changed settings; return what became of them, as `/v1/reload` tells; HTTP only.

        Raises Refused `settings_invalid`, with a fault each, when they are refused whole.
        """
        return await self._over_http("reload").reload()

    @property
    def _way(self) -> OverHttp | OverRedis:
        if self._http is not None:
            return self._http
        assert self._redis is not None  # noqa: S101 - __init__ has made one of them
        return self._redis

    def _over_http(self, what: str) -> OverHttp:
        if self._http is None:
            raise Refused("http_only", f"{what} needs the gateway's HTTP address: give base_url")
        return self._http


def _filter(
    state: str | Sequence[str] | None,
    target: str | None,
    account: str | None,
    since: Moment | None,
    until: Moment | None,
) -> dict[str, str | None]:
    return {
        "state": ",".join([state] if isinstance(state, str) else state) if state else None,
        "target": target,
        "account": account,
        "since": None if since is None else rfc3339(moment(since, "since")),
        "until": None if until is None else rfc3339(moment(until, "until")),
    }


def _handle(job: Handle) -> str:
    if isinstance(job, str):
        return job
    return job.id if job.id is not None else f"key:{job.key}"


def _first(submitted: Submitted) -> Submitted:
    """Return what became of a job whose key was made here: if it was taken before, it was by our own repetition."""
    return submitted.model_copy(update={"duplicate": False}) if submitted.duplicate else submitted


def _key(job: JobLike) -> Any:
    return job.key if isinstance(job, Job) else job.get("key")
