"""`GET /metrics`: what this process counted, and what Redis holds right now, for Prometheus."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway.metrics import Metrics
from gateway.model.rate import Rate
from gateway.monitor.look import Looks, Shared
from gateway.monitor.reasons import Reason
from gateway.monitor.status import Monitor, Parts
from gateway.store.overview import AccountNumbers, longest_wait

_OF_ACCOUNT = {
    "queued": ("gateway_jobs_queued", "Jobs that wait or are being sent."),
    "lanes": ("gateway_lanes_due", "Targets with work that is not being sent."),
    "in_flight": ("gateway_in_flight", "Calls to NapCat that are under way."),
    "scheduled": ("gateway_scheduled", "Entries of the schedule: jobs, and requesters who wait for their rate."),
    "overdue": ("gateway_overdue_seconds", "How long the target that waits longest is past its turn."),
    "oldest": ("gateway_oldest_waiting_seconds", "How long the job waits that waits longest, of those in lanes."),
    "parked": ("gateway_targets_parked", "Targets that wait on purpose."),
    "paused": ("gateway_account_paused", "1 while the account is paused."),
    "callbacks": ("gateway_callbacks_waiting", "Receipts that are still to be posted."),
}


class _All(Collector):
    """What is told at once: what this process counted, and what was FOUND right now."""

    def __init__(self, counted: Collector, found: Iterable[Metric]) -> None:
        self._counted = counted
        self._found = found

    def collect(self) -> Iterable[Metric]:
        """Return all of it."""
        return chain(self._counted.collect(), self._found)


class Exposition:
    """Serves the metrics; what Redis holds is asked for when they are read."""

    def __init__(self, looks: Looks, monitor: Monitor, parts: Parts, metrics: Metrics) -> None:
        """Tell what METRICS counted, what LOOKS find, what MONITOR makes of it, and how the PARTS are."""
        self._looks = looks
        self._monitor = monitor
        self._parts = parts
        self._metrics = metrics

    async def get(self, request: web.Request) -> web.Response:
        """Answer in the text format of Prometheus, or OpenMetrics where the reader takes that."""
        look = await self._looks.latest()
        found = [
            _gauge("gateway_redis_up", "1 while Redis answers.", int(look.shared is not None)),
            *_reasons(self._monitor.reasons(look)),
            *self._contacts(),
            *(_shared(look.shared) if look.shared is not None else ()),
            *self._counted(),
        ]
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(_All(self._metrics.registry, found)), headers={"Content-Type": kind})

    def _contacts(self) -> Iterator[Metric]:
        reachable = GaugeMetricFamily(
            "gateway_account_reachable", "1 while NapCat answers; absent while that is not known.", labels=["account"]
        )
        online = GaugeMetricFamily(
            "gateway_account_online", "1 while QQ has the account logged in, as NapCat says.", labels=["account"]
        )
        for name, watch in self._parts.watches.items():
            for family, known in ((reachable, watch.contact.reachable), (online, watch.contact.online)):
                if known is not None:
                    family.add_metric([name], int(known))
        yield from (reachable, online)

    def _counted(self) -> Iterator[Metric]:
        events = CounterMetricFamily(
            "gateway_events", "NapCat's events, by what became of them.", labels=["account", "outcome"]
        )
        hooks = CounterMetricFamily("gateway_hooks", "Webhooks, by what became of them.", labels=["hook", "outcome"])
        for family, tallies in ((events, self._parts.tallies.events), (hooks, self._parts.tallies.hooks)):
            for name, tally in tallies.items():
                for outcome, count in tally.items():
                    family.add_metric([name, outcome], count)
        yield from (events, hooks)


def _reasons(found: Sequence[Reason]) -> Iterator[Metric]:
    """Yield what /status says, so that an alert needs no copy of its thresholds."""
    told = GaugeMetricFamily(
        "gateway_reasons",
        "What is not well, as /status says; account is empty where it is about none.",
        labels=["code", "account"],
    )
    times: dict[tuple[str, str], int] = {}
    for one in found:
        about = one["code"], one.get("account", "")
        times[about] = times.get(about, 0) + 1
    for about, number in times.items():
        told.add_metric(about, number)
    yield told


def _shared(shared: Shared) -> Iterator[Metric]:
    server = shared.server
    yield _gauge("gateway_redis_memory_bytes", "Memory that Redis uses.", server.used_memory)
    yield _gauge("gateway_redis_memory_limit_bytes", "Its maxmemory; 0: none.", server.maxmemory)
    yield _gauge("gateway_redis_saving", "1 while Redis could write what it keeps.", int(not server.failing))
    yield _gauge("gateway_replicas", "Processes that serve this gateway.", len(shared.replicas))
    yield from _accounts(shared.accounts)
    depth = GaugeMetricFamily("gateway_source_depth", "Entries that wait to be read.", labels=["source"])
    oldest = GaugeMetricFamily("gateway_source_oldest_seconds", "Age of the oldest of them.", labels=["source"])
    read = GaugeMetricFamily("gateway_source_read", "1 while some replica reads the source.", labels=["source"])
    for name, source in shared.sources.items():
        depth.add_metric([name], source.depth)
        oldest.add_metric([name], (source.age(server.now) or 0) / 1000)
        read.add_metric([name], int(bool(source.holder)))
    yield from (depth, oldest, read)


def _accounts(accounts: Mapping[str, AccountNumbers]) -> Iterator[Metric]:
    gauges = {name: GaugeMetricFamily(*told, labels=["account"]) for name, told in _OF_ACCOUNT.items()}
    full = GaugeMetricFamily(
        "gateway_rate_used_ratio", "How full a rate of the whole account is: 1 is full.", labels=["account", "rate"]
    )
    for account, numbers in accounts.items():
        values = {
            "queued": numbers.queued,
            "lanes": numbers.lanes,
            "in_flight": numbers.in_flight,
            "scheduled": numbers.scheduled,
            "overdue": numbers.overdue / 1000,
            "oldest": (longest_wait(numbers.backlog) or 0) / 1000,
            "parked": numbers.parked,
            "paused": int(numbers.paused is not None),
            "callbacks": numbers.callbacks.waiting,
        }
        for name, value in values.items():
            gauges[name].add_metric([account], value)
        # One rate may be given twice, as 60/1m and 60/60s.
        rates = {str(Rate(window.most, window.period)): window.used / window.most for window in numbers.windows}
        for rate, used in rates.items():
            full.add_metric([account, rate], used)
    yield from (*gauges.values(), full)


def _gauge(name: str, words: str, value: float) -> Metric:
    gauge = GaugeMetricFamily(name, words)
    gauge.add_metric([], value)
    return gauge
