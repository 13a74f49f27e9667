"""Which job a path names."""

from collections.abc import Sequence
from typing import NamedTuple

from aiohttp import web

from gateway.model.identity import parse_job_id


class Named(NamedTuple):
    """Where a job is looked up: its account, and its id or its idempotency key there."""

    account: str
    job_id: str = ""
    key: str = ""


def named(request: web.Request, accounts: Sequence[str]) -> Named | None:
    """Return where the job in the path of REQUEST is looked up; None when it can be in none of ACCOUNTS.

    `{id}` may be `key:<idempotency key>`, of the first account unless `?account=` names another. An id names its
    account, so `?account=` may only repeat it.
    """
    name, account = request.match_info["id"], request.query.get("account")
    if name.startswith("key:"):
        known = Named(accounts[0] if account is None else account, key=name.removeprefix("key:"))
        return known if known.account in accounts else None
    job = parse_job_id(name)
    return Named(*job) if job and job.account in accounts and account in {None, job.account} else None
