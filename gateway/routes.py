"""Every path that is served, by whom, and for which scope."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from gateway.clock import Clock
from gateway.forward.events import Events
from gateway.forward.quoting import clean
from gateway.intake.admission import Admission
from gateway.intake.api import JobsIntake
from gateway.intake.batch import BatchIntake
from gateway.intake.hooks.hooks import Hooks
from gateway.intake.onebot.onebot import OneBot
from gateway.intake.onebot.pass_through import PassThrough
from gateway.intake.onebot.recall import RecallAction
from gateway.lanes.operator import Operator
from gateway.lanes.recall import Recaller
from gateway.model.action import Ask
from gateway.monitor.dashboard import Page, SignIn, Stream
from gateway.monitor.lanes import Lanes
from gateway.monitor.metrics import Exposition
from gateway.monitor.status import Monitor
from gateway.openapi import Documentation
from gateway.results.listing import PARAMETERS, Listing
from gateway.results.message import Messages
from gateway.results.receipts import Receipts
from gateway.results.replay import Replay
from gateway.results.search import Search
from gateway.results.waiting import Endings
from gateway.results.withdrawal import Withdrawal
from gateway.settings import Settings
from gateway.store.bell import Bell
from gateway.store.pressure import Pressure
from gateway.store.scripts import Scripts
from gateway.store.values import TickPolicy
from gateway.web import Guard, Handler, takes

_JOB = "{id:(?!batch$|replay$)[^/]+}"
"""A job in a path: none has the name of another path, which would then take methods that it does not take."""


@dataclass(frozen=True)
class Works:
    """What moves jobs and tells of them: what the HTTP paths are served with."""

    settings: Settings
    clock: Clock
    scripts: Scripts
    policies: Mapping[str, TickPolicy]
    asks: Mapping[str, Ask]
    bell: Bell
    endings: Endings
    pressure: Pressure
    admission: Admission
    events: Events
    monitor: Monitor
    exposition: Exposition
    hooks: Hooks
    stream: Stream
    page: Page
    sign_in: SignIn
    reload: Handler


def routes(works: Works, guard: Guard) -> list[web.RouteDef]:
    """Return every path that is served, by whom, and for which scope; the paths are the same for all settings."""
    recaller = Recaller(works.scripts, works.asks, clean)  # one for all: it asks each NapCat one thing at a time
    return [
        *_jobs(works, guard, recaller),
        *_targets_and_accounts(works, guard),
        *_service(works, guard),
        *works.hooks.routes(),
        *_dashboard(works, guard),
        *_onebot(works, guard, recaller),
    ]


def _jobs(works: Works, guard: Guard, recaller: Recaller) -> list[web.RouteDef]:
    scripts, accounts = works.scripts, list(works.policies)
    jobs, receipts = JobsIntake(works.admission), Receipts(scripts, works.endings, accounts)
    batch, messages = BatchIntake(works.admission, guard), Messages(scripts, accounts)
    search = Search(scripts, works.clock, accounts)
    listing, withdrawal = Listing(search), Withdrawal(works.policies, scripts, receipts, recaller, works.bell)
    replay = Replay(works.settings, scripts, receipts, search, works.pressure, works.bell, works.clock)
    job = f"/v1/jobs/{_JOB}"
    return [
        web.post("/v1/jobs", guard("send", takes(jobs.post))),
        web.get("/v1/jobs", guard("read", takes(listing.get, *PARAMETERS))),
        web.post("/v1/jobs/batch", guard("send", takes(batch.post))),
        web.post("/v1/jobs/replay", guard("admin", takes(replay.many))),
        web.get(job, guard("read", takes(receipts.get, "account", "wait"))),
        web.get(f"{job}/message", guard("read", takes(messages.get, "account"))),
        web.delete(job, guard("send", takes(withdrawal.delete, "account", "recall"))),
        web.post(f"{job}/replay", guard("admin", takes(replay.one, "account"))),
    ]


def _targets_and_accounts(works: Works, guard: Guard) -> list[web.RouteDef]:
    lanes = Lanes(works.settings, works.policies, works.scripts)
    operator = Operator(works.settings, works.scripts, works.bell)
    return [
        web.get("/v1/targets/{kind}/{id}", guard("read", takes(lanes.target, "account"))),
        web.post("/v1/targets/{kind}/{id}/park", guard("admin", takes(operator.park, "account"))),
        web.post("/v1/targets/{kind}/{id}/release", guard("admin", takes(operator.release, "account"))),
        web.get("/v1/accounts", guard("read", takes(lanes.accounts))),
        web.post("/v1/accounts/{name}/pause", guard("admin", takes(operator.pause))),
        web.post("/v1/accounts/{name}/resume", guard("admin", takes(operator.resume))),
    ]


def _service(works: Works, guard: Guard) -> list[web.RouteDef]:
    monitor, documentation = works.monitor, Documentation(guard)
    return [
        web.post("/v1/reload", guard("admin", takes(works.reload))),
        web.get("/v1/flow", guard("read", takes(monitor.get_flow))),
        # Any parameter is passed over from here on: NapCat may add its token, and a probe what evades caches.
        web.post("/napcat/{account}/events", works.events.post),
        web.get("/status", guard("read", monitor.get)),
        web.get("/metrics", guard("read", works.exposition.get)),
        web.get("/healthz/live", monitor.live),
        web.get("/healthz/ready", monitor.ready),
        web.get("/openapi.json", documentation.document),
        web.get("/docs", documentation.page),
    ]


def _dashboard(works: Works, guard: Guard) -> list[web.RouteDef]:
    page, sign_in = works.page, works.sign_in
    return [
        web.get("/", page.index),
        web.get("/dashboard/stream", guard("read", takes(works.stream.get)), allow_head=False),
        web.get(r"/dashboard/{file:[a-z]+\.[a-z]+}", page.file),
        web.get("/session", guard("read", takes(sign_in.get))),
        web.post("/session", takes(sign_in.post)),
        web.delete("/session", takes(sign_in.delete)),
    ]


def _onebot(works: Works, guard: Guard, recaller: Recaller) -> list[web.RouteDef]:
    settings, accounts = works.settings.onebot, list(works.policies)
    pass_through, take_back = (
        PassThrough(settings.pass_, works.asks, clean),
        RecallAction(works.scripts, recaller, accounts),
    )
    return OneBot(settings, accounts, guard, works.admission, works.endings.of, pass_through, take_back).routes()
