"""`GET /v1/targets/{kind}/{id}` and `GET /v1/accounts`: what waits, what holds it, and how full its rates are."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.lanes.address import account_of, target_of
from gateway.model.instant import format_instant
from gateway.monitor.documents import account_document, lasting, rates_document, within_reach
from gateway.settings import Settings
from gateway.store.scripts.readings import ReadingScripts
from gateway.store.values import TickPolicy
from gateway.web import KEY


class Lanes:
    """Shows what targets and accounts hold right now."""

    def __init__(self, settings: Settings, policies: Mapping[str, TickPolicy], scripts: ReadingScripts) -> None:
        """Look by SCRIPTS; POLICIES say by account which rates count."""
        self._settings = settings
        self._policies = policies
        self._scripts = scripts

    async def target(self, request: web.Request) -> web.Response:
        """Answer the state of one target in the account that serves it, or in `?account=`.

        `queued` counts what is in its lane; scheduled jobs join it when they are due. `rates` has each rate that a send
        there has to fit: how many sends count in it now (`used`), and from when on one more fits (`opens_at`).
        """
        target = target_of(request)
        account = account_of(request, target, self._settings)
        lane = await self._scripts.lane(account, str(target), self._policies[account].limits)
        document: dict[str, Any] = {
            "account": account,
            "target": str(target),
            "queued": lane.queued,
            "in_flight": lane.in_flight,
        }
        if lane.due is not None:
            document["next_at"] = format_instant(lane.due)
        if lane.hold is not None:
            document["hold"] = {**lasting(lane.hold), "operator": lane.hold.operator}
        if lane.slowed is not None:
            document["slowed"] = {**lasting(lane.slowed), "factor": lane.slowed.factor}
        document["rates"] = rates_document("account", lane.account_windows, observed=lane.account_observed)
        document["rates"] += rates_document(str(target), lane.windows, observed=lane.observed)
        return web.json_response(document)

    async def accounts(self, request: web.Request) -> web.Response:
        """Answer `{items: […]}`, one for each account in the order of the settings; targets beyond reach left out."""
        limits = {account.name: self._policies[account.name].limits for account in self._settings.accounts}
        found = await self._scripts.overviews(limits)
        key = request.get(KEY)
        items = [
            {"name": name, **account_document(name, within_reach(numbers, key))} for name, numbers in found.items()
        ]
        return web.json_response({"items": items})
