"""What Prometheus' own tool, out of Debian's package, says: it reads the rules, and they fire when they should."""

import json
from pathlib import Path

import pytest

from tests.debian import program_of, run
from tests.deploy.test_alerts_and_board import DEPLOY, alerts, board_queries

pytestmark = pytest.mark.deploy

PACKAGE = "prometheus"
FOR = 60  # minutes of samples, one each minute
OF = 'job="napcat-gateway",instance="a:8080"'
ACCOUNT = f'{OF},account="main"'
Series = dict[str, str]


def steady(value: float) -> str:
    return f"{value}+0x{FOR}"


def rising(by: float) -> str:
    """Return a counter that rises BY so much a minute."""
    return f"0+{by}x{FOR}"


def slow(name: str, labels: str = OF, *, fast: float = 0.0) -> Series:
    """Return a histogram of whose 60 observations a minute the share FAST is fast, and the rest takes 9 seconds."""
    times = {"0.05": 60 * fast, "5.0": 60 * fast, "10.0": 60.0, "+Inf": 60.0}
    return {f'{name}_bucket{{{labels},le="{le}"}}': rising(number) for le, number in times.items()}


def reason(code: str, account: str = "main") -> Series:
    return {f'gateway_reasons{{{OF},code="{code}",account="{account}"}}': steady(1)}


WELL: Series = {
    f"up{{{OF}}}": steady(1),
    f'gateway_build_info{{{OF},version="1"}}': steady(1),
    f"gateway_redis_up{{{OF}}}": steady(1),
    f"gateway_redis_saving{{{OF}}}": steady(1),
    f"gateway_redis_memory_bytes{{{OF}}}": steady(100),
    f"gateway_redis_memory_limit_bytes{{{OF}}}": steady(0),
    f"gateway_account_reachable{{{ACCOUNT}}}": steady(1),
    f"gateway_account_online{{{ACCOUNT}}}": steady(1),
    f"gateway_account_paused{{{ACCOUNT}}}": steady(0),
    f"gateway_oldest_waiting_seconds{{{ACCOUNT}}}": steady(30),
    f'gateway_rate_used_ratio{{{ACCOUNT},rate="30/1m"}}': steady(0.9),
    f'gateway_attempts_total{{{ACCOUNT},verdict="delivered",rule="delivered"}}': rising(20),
    f'gateway_attempts_total{{{ACCOUNT},verdict="unknown",rule="no_answer"}}': rising(1),
    f'gateway_jobs_ended_total{{{ACCOUNT},state="delivered"}}': rising(20),
    f'gateway_jobs_ended_total{{{ACCOUNT},state="dead"}}': rising(0.2),
    f'gateway_callbacks_total{{{ACCOUNT},outcome="given_up"}}': steady(3),
    f'gateway_source_depth{{{OF},source="gw:jobs"}}': steady(5),
    f'gateway_source_read{{{OF},source="gw:jobs"}}': steady(1),
    f'gateway_source_oldest_seconds{{{OF},source="gw:jobs"}}': steady(1),
    f"process_start_time_seconds{{{OF}}}": steady(1_000),
    **slow("gateway_send_seconds", ACCOUNT, fast=1.0),
    **slow("gateway_loop_lag_seconds", fast=1.0),
    **slow("gateway_redis_seconds", f'{OF},script="tick"', fast=1.0),
}
"""A gateway that does well."""

ILL: dict[str, Series] = {
    "GatewayDown": {f"up{{{OF}}}": steady(0)},
    "GatewayAbsent": {f'gateway_build_info{{{OF},version="1"}}': f"_x{FOR}"},
    "GatewayRestarts": {f"process_start_time_seconds{{{OF}}}": rising(100)},
    "GatewayRedisAway": {f"gateway_redis_up{{{OF}}}": steady(0)},
    "GatewayRedisTakesNoWrites": reason("redis_takes_no_writes", ""),
    "GatewayRedisNotReplicated": reason("redis_not_replicated", ""),
    "GatewayRedisNotSaving": {f"gateway_redis_saving{{{OF}}}": steady(0)},
    "GatewayRedisMemory": {f"gateway_redis_memory_limit_bytes{{{OF}}}": steady(110)},
    "GatewayRedisSlow": slow("gateway_redis_seconds", f'{OF},script="tick"', fast=0.9),
    "GatewayDegraded": reason("answers_unmatched"),
    "GatewayAccountUnreachable": {f"gateway_account_reachable{{{ACCOUNT}}}": steady(0)},
    "GatewayAccountOffline": {f"gateway_account_online{{{ACCOUNT}}}": steady(0)},
    "GatewayAccountPaused": {f"gateway_account_paused{{{ACCOUNT}}}": steady(1)},
    "GatewayQueueGrowing": reason("backlog_growing"),
    "GatewayOldestWaiting": {f"gateway_oldest_waiting_seconds{{{ACCOUNT}}}": "4000+60x60"},
    "GatewayOverdue": reason("lanes_overdue"),
    "GatewayAnswersUnclear": {
        f'gateway_attempts_total{{{ACCOUNT},verdict="unknown",rule="no_answer"}}': rising(10),
    },
    "GatewayDeadLetters": {f'gateway_jobs_ended_total{{{ACCOUNT},state="dead"}}': rising(2)},
    "GatewaySendsSlow": slow("gateway_send_seconds", ACCOUNT, fast=0.5),
    "GatewayRateFull": {f'gateway_rate_used_ratio{{{ACCOUNT},rate="30/1m"}}': steady(1)},
    "GatewaySourceUnread": {f'gateway_source_read{{{OF},source="gw:jobs"}}': steady(0)},
    "GatewaySourceBehind": {f'gateway_source_oldest_seconds{{{OF},source="gw:jobs"}}': rising(60)},
    "GatewayCallbacksGivenUp": {f'gateway_callbacks_total{{{ACCOUNT},outcome="given_up"}}': rising(1)},
    "GatewayLoopLag": slow("gateway_loop_lag_seconds", fast=0.9),
}
"""What else is told when the alert of this name is to fire, and no other."""


@pytest.fixture(scope="session", name="promtool")
def _promtool(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tool, fetched once for all tests."""
    return str(program_of(PACKAGE, "promtool", tmp_path_factory.mktemp("debian")))


def test_prometheus_reads_the_alerts(promtool: str, tmp_path: Path) -> None:
    done = run([promtool, "check", "rules", str(DEPLOY / "alerts.yaml")], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout


def test_prometheus_reads_the_queries_of_the_board(promtool: str, tmp_path: Path) -> None:
    rules = [{"record": f"board:{number}", "expr": query} for number, (_, query) in enumerate(board_queries())]
    file = tmp_path / "board.yaml"  # YAML takes JSON as it is
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    done = run([promtool, "check", "rules", str(file)], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_when_it_should_and_no_other_does(promtool: str, tmp_path: Path) -> None:
    assert set(ILL) == {rule["alert"] for rule in alerts()}
    tests = [case({}, 0), *(case(series, 1, name) for name, series in ILL.items())]
    file = tmp_path / "firing.yaml"
    file.write_text(json.dumps({"rule_files": [str(DEPLOY / "alerts.yaml")], "tests": tests}))
    done = run([promtool, "test", "rules", str(file)], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def case(series: Series, firing: int, name: str = "") -> dict[str, object]:
    """Return a test of promtool: with SERIES instead of what is well, so many alerts fire, all of this NAME."""
    count = f'count(count by (alertname) (ALERTS{{alertstate="firing",alertname{"=" if name else "!="}"{name}"}}))'
    others = f'count(ALERTS{{alertstate="firing",alertname!="{name}"}})'
    expected = [{"labels": "{}", "value": firing}] if firing else []
    return {
        "name": name or "all is well",
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in {**WELL, **series}.items()],
        "promql_expr_test": [
            {"expr": count, "eval_time": f"{FOR - 5}m", "exp_samples": expected},
            {"expr": others, "eval_time": f"{FOR - 5}m", "exp_samples": []},
        ],
    }
