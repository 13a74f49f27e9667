"""What Prometheus reads: it moves with what happens, and names nobody."""

import hashlib
import re

from prometheus_client.parser import text_string_to_metric_families

from tests.world import Gateway, World, until


async def metrics(gateway: Gateway) -> dict[str, float]:
    """Return every sample by its name and labels, as `name{label=value}`."""
    reply = await gateway.get("/metrics")
    assert reply.status == 200, reply.body
    return {
        f"{sample.name}{{{','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(reply.body.decode())
        for sample in family.samples
    }


async def test_metrics_move_with_what_happens_to_jobs(world: World) -> None:
    world.napcat.behave("group:2", "kick")
    gateway = await world.gateway()
    for group in (1, 2):
        await gateway.post("/v1/jobs", {"group_id": str(group), "message": "hello"})
    await gateway.post("/v1/jobs", {"group_id": "3", "message": "later", "delay": "1h"})
    await world.ended(2)
    found = await until(
        lambda: metrics(gateway), lambda seen: seen["gateway_jobs_ended_total{account=main,state=rejected}"] == 1
    )
    assert found["gateway_admissions_total{account=main,outcome=admitted}"] == 3
    assert found["gateway_attempts_total{account=main,rule=delivered,verdict=delivered}"] == 1
    assert found["gateway_jobs_ended_total{account=main,state=delivered}"] == 1
    assert found["gateway_end_to_end_seconds_count{account=main,state=delivered}"] == 1
    assert found["gateway_send_seconds_count{account=main}"] == 2
    assert found["gateway_jobs_queued{account=main}"] == 1
    assert found["gateway_scheduled{account=main}"] == 1
    assert found["gateway_source_depth{source=gw:jobs}"] == 0
    assert found["gateway_redis_up{}"] == 1
    assert found["gateway_redis_seconds_count{script=tick}"] > 0


async def test_what_alerts_watch_is_there_before_it_rises(world: World) -> None:
    found = await metrics(await world.gateway())
    assert found["gateway_callbacks_total{account=main,outcome=given_up}"] == 0
    for state in ("dead", "rejected", "unconfirmed"):
        assert found[f"gateway_jobs_ended_total{{account=main,state={state}}}"] == 0


async def test_a_rate_that_is_given_twice_is_one_series(world: World) -> None:
    gateway = await world.gateway(limits={"account": ["100/1m", "100/60s"]})
    lines = (await gateway.get("/metrics")).body.decode().splitlines()
    series = [line.partition("} ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series))


async def test_holds_and_pauses_are_counted(world: World) -> None:
    gateway = await world.gateway()
    await gateway.post("/v1/targets/group/1/park", {})
    await gateway.post("/v1/accounts/main/pause", {})
    found = await metrics(gateway)
    assert (found["gateway_targets_parked{account=main}"], found["gateway_account_paused{account=main}"]) == (1, 1)


async def test_no_target_job_or_text_is_a_label(world: World) -> None:
    number = "471147114711471147"  # as no measured value reads
    world.napcat.behave(f"group:{number}", "kick")
    gateway = await world.gateway()
    reply = await gateway.post("/v1/jobs", {"group_id": number, "message": "a secret", "key": "order-42"})
    await world.ended(1)
    told = (await gateway.get("/metrics")).body.decode()
    assert not any(word in told for word in (number, "a secret", "order-42", reply.json["id"]))
    assert set(re.findall(r"([a-z_]+)=\"", told)) <= {
        "account", "outcome", "verdict", "rule", "state", "script", "source", "le", "version", "hook",
        "code", "rate",
    }  # fmt: skip


async def test_metrics_are_read_while_redis_is_away_and_say_so(world: World) -> None:
    gateway = await world.gateway()
    await world.stop_redis()
    found = await until(lambda: metrics(gateway), lambda seen: seen.get("gateway_redis_up{}") == 0)
    assert "gateway_jobs_queued{account=main}" not in found


async def test_openmetrics_is_told_to_those_who_ask_for_it(world: World) -> None:
    gateway = await world.gateway()
    plain = await gateway.get("/metrics")
    assert plain.headers["Content-Type"].startswith("text/plain")
    asked = await gateway.get("/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})
    assert asked.headers["Content-Type"].startswith("application/openmetrics-text")
    assert asked.body.endswith(b"# EOF\n")


async def test_metrics_need_a_key_that_may_read(world: World) -> None:
    keys = [{"name": "sender", "sha256": hashlib.sha256(b"sender").hexdigest(), "scopes": ["send"]}]
    gateway = await world.gateway(auth={"keys": keys})
    assert (await gateway.get("/metrics")).status == 401
    assert (await gateway.get("/metrics", {"Authorization": "Bearer sender"})).status == 403
