"""Alerts and board ask for metrics that a gateway tells, by labels these have, and in ways that fit their kinds."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from aiohttp import web
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

import gateway
from tests.deploy.promql import Query, parse
from tests.forward.test_notices import SELF
from tests.results.test_callbacks import CALLBACKS
from tests.world import SECRET, World, serving, until

DEPLOY = Path(__file__).parents[2] / "deploy"
OF_PROMETHEUS = {"up": {"job", "instance"}}
SCRAPED = {"job", "instance"}  # labels that Prometheus adds
COUNTED = {"rate", "irate", "increase", "resets"}
OWN_ALERT = {
    "redis_unavailable": "GatewayRedisAway",
    "redis_takes_no_writes": "GatewayRedisTakesNoWrites",
    "redis_not_replicated": "GatewayRedisNotReplicated",
    "redis_not_saving": "GatewayRedisNotSaving",
    "redis_full": "GatewayRedisMemory",
    "account_paused": "GatewayAccountPaused",
    "lanes_overdue": "GatewayOverdue",
    "backlog_growing": "GatewayQueueGrowing",
    "answers_unclear": "GatewayAnswersUnclear",
    "source_unread": "GatewaySourceUnread",
    "source_behind": "GatewaySourceBehind",
    "callbacks_failing": "GatewayCallbacksGivenUp",
}
MONITOR = Path(gateway.__file__).parent / "monitor"
WRONG = (
    "gateway_jobs_waiting",
    "rate(gateway_jobs_queued[5m])",
    "max_over_time(gateway_attempts_total[5m])",
    "gateway_attempts_total",
    "max by (target) (gateway_jobs_queued)",
    'gateway_jobs_queued{target="group:1"}',
    "histogram_quantile(0.9, sum by (le) (rate(gateway_send_seconds_sum[5m])))",
    "histogram_quantile(0.9, sum by (account) (rate(gateway_send_seconds_bucket[5m])))",
)
RULE = {"alert", "expr", "for", "labels", "annotations"}


class Told(NamedTuple):
    """What a sample is: its family's kind, and the labels it was seen with."""

    kind: str
    labels: set[str]


def alerts() -> list[dict[str, Any]]:
    document = yaml.safe_load((DEPLOY / "alerts.yaml").read_text("utf-8"))
    assert list(document) == ["groups"]
    assert all(set(group) <= {"name", "interval", "rules"} for group in document["groups"])
    return [rule for group in document["groups"] for rule in group["rules"]]


def board() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    return document


def board_queries() -> Iterator[tuple[str, str]]:
    """Yield where on the board a query is, and the query as Grafana would send it."""
    found = [(panel["title"], target["expr"]) for panel in board()["panels"] for target in panel.get("targets", ())]
    found += [(one["name"], one["expr"]) for one in board()["annotations"]["list"] if "expr" in one]
    for variable in board()["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]
            found.append((variable["name"], f"count by ({label}) ({metric})"))
    for place, query in found:
        yield place, re.sub(r"\$__(rate_interval|range)", "5m", re.sub(r"\$(account|instance)", ".*", query))


def queries() -> list[tuple[str, str]]:
    return [*((rule["alert"], rule["expr"]) for rule in alerts()), *board_queries()]


@pytest.fixture(name="told")
async def _told(world: World) -> AsyncIterator[dict[str, Told]]:
    """What /metrics tells of a gateway to which all has happened that is counted."""
    world.napcat.behave("group:2", "timeout", times=1, wait_ms=10)
    hook = {"name": "hook", "preset": "generic", "verify": {"kind": "none"}, "targets": "group:1"}
    async with serving("POST", _fine) as receiver:
        served = await world.gateway(callbacks=CALLBACKS, hooks=[hook], delivery={"settle_for": "200ms"})
        world.napcat.report_to(f"{served.url}/napcat/main/events", SECRET)
        await served.post("/v1/jobs", {"group_id": "1", "message": "hello", "callback_url": f"{receiver}/a"})
        await served.post("/v1/jobs", {"group_id": "2", "message": "perhaps"})
        assert (await served.post("/hooks/hook", {"title": "told"})).status < 300
        await world.ended(3)
        await world.napcat.emit_group_ban("1", 600, SELF)

        async def families() -> list[Metric]:
            return list(text_string_to_metric_families((await served.get("/metrics")).body.decode()))

        counted = {"gateway_callbacks_total", "gateway_events_total", "gateway_settle_seconds_count"}
        found = await until(families, lambda found: counted <= set(_samples(found)))
        await served.post("/v1/accounts/main/pause", {})  # which is a reason
        found = await until(families, lambda found: _samples(found).get("gateway_reasons", Told("", set())).labels)
        yield _samples(found)


async def _fine(_: web.Request) -> web.Response:
    return web.Response()


def _samples(families: list[Metric]) -> dict[str, Told]:
    found: dict[str, Told] = {}
    for family in families:
        for sample in family.samples:
            known = found.setdefault(sample.name, Told(family.type, set()))
            known.labels.update(sample.labels)
    return found


def _faults(query: Query, told: dict[str, Told]) -> Iterator[str]:
    labels = set(SCRAPED)
    for one in query.selectors:
        if one.metric in OF_PROMETHEUS:
            labels |= OF_PROMETHEUS[one.metric]
            continue
        if one.metric not in told:
            yield f"nobody tells {one.metric}"
            continue
        kind, known = told[one.metric]
        labels |= known
        yield from (f"{one.metric} has no label {label}" for label in one.labels if label not in known | SCRAPED)
        counts = kind in {"counter", "histogram"}
        through = one.within[0] if one.within else ""
        if one.ranged and counts != (through in COUNTED) and one.metric != "process_start_time_seconds":
            yield f"{through} of {one.metric}, which is a {kind}"
        if counts and not one.ranged:
            yield f"{one.metric} is a {kind}, and is asked for as it is"
        if "histogram_quantile" in one.within and not (one.metric.endswith("_bucket") and "le" in query.grouped):
            yield f"a quantile of {one.metric}, which needs buckets, by le"
    yield from (f"nothing has the label {label}" for label in query.grouped - labels)


async def test_all_that_alerts_and_board_ask_for_is_told_by_a_running_gateway(told: dict[str, Told]) -> None:
    faults = [f"{place}: {fault}" for place, query in queries() for fault in _faults(parse(query), told)]
    assert faults == []
    for wrong in WRONG:
        assert list(_faults(parse(wrong), told)), f"{wrong} is taken for good"


async def test_the_board_shows_all_that_a_gateway_tells(told: dict[str, Told]) -> None:
    asked = {one.metric for _, query in board_queries() for one in parse(query).selectors}
    stems = {re.sub(r"_(total|bucket|sum|count|created)$", "", name) for name in asked}
    mine = {name for name in told if name.startswith("gateway_")}
    assert {re.sub(r"_(total|bucket|sum|count|created)$", "", name) for name in mine} - stems == set()


def test_each_alert_says_what_it_means_and_what_to_do() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names) > 15
    for rule in alerts():
        assert set(rule) <= RULE, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description", "action", "runbook_url"}, rule["alert"]
        assert all(isinstance(words, str) and words for words in rule["annotations"].values()), rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert re.fullmatch(r"[1-9][0-9]*[smh]", rule.get("for", "1m")), rule["alert"]


def test_a_template_names_only_labels_that_its_alert_keeps() -> None:
    for rule in alerts():
        named = {label for words in rule["annotations"].values() for label in re.findall(r"\$labels\.(\w+)", words)}
        query = parse(rule["expr"])
        kept = query.grouped or SCRAPED | {label for one in query.selectors for label in one.labels}
        assert named <= kept, rule["alert"]


def test_a_reason_that_the_alert_for_all_leaves_out_has_one_of_its_own() -> None:
    named = {rule["alert"]: rule["expr"] for rule in alerts()}
    left_out = re.search(r'code!~"([a-z_|]+)"', named["GatewayDegraded"])
    assert left_out
    assert set(left_out[1].split("|")) == {*OWN_ALERT, "stopping"}
    sources = "".join(file.read_text("utf-8") for file in MONITOR.glob("*.py"))
    assert all(f'"{code}"' in sources for code in {*OWN_ALERT, "stopping"}), "no status gives this reason any more"
    assert set(OWN_ALERT.values()) <= set(named)


def test_the_board_is_laid_out_without_gaps_in_what_it_says() -> None:
    panels = board()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: dict[tuple[int, int], str] = {}
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert cells.setdefault((x, y), panel["title"]) == panel["title"], (panel["title"], cells[x, y])
        if panel["type"] != "row":
            assert panel["title"], panel
            assert panel["description"].endswith("."), panel["title"]
            assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
            references = [target["refId"] for target in panel["targets"]]
            assert len(set(references)) == len(references), panel["title"]
    assert [variable["name"] for variable in board()["templating"]["list"]] == ["datasource", "account", "instance"]
    used = {name for _, query in _raw() for name in re.findall(r"\$(\w+)", query)}
    assert used <= {"account", "instance", "__rate_interval", "__range"}


def _raw() -> Iterator[tuple[str, str]]:
    for panel in board()["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", ()))
