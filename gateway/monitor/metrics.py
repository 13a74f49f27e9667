"""`GET /metrics`: what this process counted, and what Redis holds right now, for Prometheus."""

from collections.abc import Iterable, Sequence

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway.metrics import Metrics
from gateway.model.errors import StoreUnavailable
from gateway.monitor.status import Tallies
from gateway.settings import Settings
from gateway.store.client import Clients
from gateway.store.scripts import Scripts
from gateway.store.server import server_numbers
from gateway.store.sources import Sources

_GAUGES = {
    "queued": ("gateway_jobs_queued", "Jobs that wait or are being sent."),
    "lanes": ("gateway_lanes_due", "Targets with work that is not being sent."),
    "in_flight": ("gateway_in_flight", "Calls to NapCat that are under way."),
    "scheduled": ("gateway_scheduled", "Entries of the schedule: jobs, and requesters who wait for their rate."),
    "overdue": ("gateway_overdue_seconds", "How long the target that waits longest is past its turn."),
    "holds": ("gateway_targets_parked", "Targets that wait on purpose."),
    "paused": ("gateway_account_paused", "1 while the account is paused."),
    "callbacks": ("gateway_callbacks_waiting", "Receipts that are still to be posted."),
}


class Exposition(Collector):
    """Serves the metrics; what Redis holds is asked for when they are read."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        scripts: Scripts,
        sources: Sources,
        tallies: Tallies,
        metrics: Metrics,
    ) -> None:
        """Tell what METRICS counted, what is in TALLIES, and what SCRIPTS and SOURCES find."""
        self._settings = settings
        self._clients = clients
        self._scripts = scripts
        self._sources = sources
        self._tallies = tallies
        self._metrics = metrics
        self._now: Sequence[Metric] = ()
        metrics.add(self)

    async def get(self, request: web.Request) -> web.Response:
        """Answer in the text format of Prometheus, or OpenMetrics where the reader takes that."""
        self._now = await self._found()
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._metrics.registry), headers={"Content-Type": kind})

    def collect(self) -> Iterable[Metric]:
        """Return what was found when the metrics were last asked for."""
        return self._now

    async def _found(self) -> list[Metric]:
        up = GaugeMetricFamily("gateway_redis_up", "1 while Redis answers.")
        gauges = {name: GaugeMetricFamily(*told, labels=["account"]) for name, told in _GAUGES.items()}
        depth = GaugeMetricFamily("gateway_source_depth", "Entries that wait to be read.", labels=["source"])
        used = GaugeMetricFamily("gateway_redis_memory_bytes", "Memory that Redis uses.")
        most = GaugeMetricFamily("gateway_redis_memory_limit_bytes", "Its maxmemory; 0: none.")
        try:
            for account in self._settings.accounts:
                numbers = await self._scripts.overview(account.name)
                parked = [hold for hold in numbers.holds if hold.name != "account"]
                values = {
                    "queued": numbers.queued,
                    "lanes": numbers.lanes,
                    "in_flight": numbers.in_flight,
                    "scheduled": numbers.scheduled,
                    "overdue": numbers.overdue / 1000,
                    "holds": len(parked),
                    "paused": int(len(parked) < len(numbers.holds)),
                    "callbacks": numbers.callbacks.waiting,
                }
                for name, value in values.items():
                    gauges[name].add_metric([account.name], value)
            for source in (*self._settings.intake.streams, *self._settings.intake.lists):
                depth.add_metric([source], await self._sources.depth(source))
            server = await server_numbers(self._clients)
        except StoreUnavailable:
            up.add_metric([], 0)
            return [up, *self._counted()]
        up.add_metric([], 1)
        used.add_metric([], server.used_memory)
        most.add_metric([], server.maxmemory)
        return [up, *gauges.values(), depth, used, most, *self._counted()]

    def _counted(self) -> list[Metric]:
        events = CounterMetricFamily(
            "gateway_events", "NapCat's events, by what became of them.", labels=["account", "outcome"]
        )
        hooks = CounterMetricFamily("gateway_hooks", "Webhooks, by what became of them.", labels=["hook", "outcome"])
        for family, tallies in ((events, self._tallies.events), (hooks, self._tallies.hooks)):
            for name, tally in tallies.items():
                for outcome, count in tally.items():
                    family.add_metric([name, outcome], count)
        return [events, hooks]
