"""Which actions a OneBot client may call, by which path and account, and with which token."""

from typing import Any

from tests.keys import bearer, key
from tests.onebot.calls import JOB, call, is_delivered, refusal, told
from tests.world import World


async def test_an_account_in_the_path_is_the_one_that_sends(world: World) -> None:
    accounts = [world.account(), world.account(name="second"), world.account(name="v1")]
    gateway = await world.gateway(accounts=accounts)
    for name in ("main", "second", "v1"):
        reply = await gateway.post(f"/{name}/send_group_msg", JOB)
        assert is_delivered(told(reply), world)
        assert reply.headers["Location"].startswith(f"/v1/jobs/{name}.")
    assert told(await gateway.get("/second/get_login_info"))["data"]["user_id"] == 10001
    refusal(told(await gateway.post("/second/send_group_msg", {**JOB, "account": "main"})), "account")
    assert (await gateway.post("/third/send_group_msg", JOB)).status == 404


async def test_no_path_of_the_gateway_is_taken_by_a_client_action(world: World) -> None:
    accounts = [world.account(name=name) for name in ("v1", "status", "healthz", "napcat")]
    gateway = await world.gateway(accounts=accounts)
    assert (await gateway.status())["version"]
    assert (await gateway.get("/healthz/live")).status == 200
    assert (await gateway.get("/v1/jobs/key:a")).json["code"] == "job_not_found"
    assert (await gateway.post("/v1/jobs", JOB)).status == 202
    assert (await gateway.get("/v1/jbos")).json["code"] == "not_found"


async def test_an_action_is_taken_under_the_other_name_that_napcat_takes_it_under(world: World) -> None:
    gateway = await world.gateway()
    assert is_delivered(await call(gateway, "send_group_msg_rate_limited", JOB), world)


async def test_a_trailing_slash_is_fine_and_another_method_is_not(world: World) -> None:
    gateway = await world.gateway()
    assert is_delivered(told(await gateway.post("/send_group_msg/", JOB)), world)
    for method in ("HEAD", "PUT", "DELETE"):
        assert (await gateway.request(method, "/send_group_msg?group_id=1&message=a")).status == 405
    assert len(world.napcat.received) == 1


async def test_other_actions_are_passed_to_napcat_where_the_settings_say_so(world: World) -> None:
    gateway = await world.gateway(onebot={"pass": ["get_status", "get_group_member_info", "get_msg"]})
    assert (await call(gateway, "get_status", {}))["data"]["online"] is True
    member = told(await gateway.get("/get_group_member_info?group_id=1&user_id=5"))
    assert (member["data"]["group_id"], member["data"]["user_id"]) == (1, 5)
    missing = await call(gateway, "get_msg", {"message_id": 1})
    assert (missing["status"], missing["retcode"], missing["message"]) == ("failed", 200, "消息不存在")
    for action in ("get_login_info", "get_cookies", "send_like", "send_group_forward_msg", ".ocr_image"):
        assert told(await gateway.post(f"/{action}", {}), 404)["retcode"] == 404


async def test_an_action_of_a_napcat_that_is_away_failed(world: World) -> None:
    gateway = await world.gateway()
    await world.napcat.stop()
    envelope = await call(gateway, "get_status", {})
    assert (envelope["status"], envelope["data"]) == ("failed", None)
    assert "no answer" in envelope["message"]


async def test_a_token_is_taken_from_query_header_or_body_and_the_query_wins(world: World) -> None:
    gateway = await world.gateway(auth={"keys": [key("good"), key("reader", scopes=["read"])]})

    async def status(query: str = "", body: dict[str, Any] | None = None, **headers: str) -> int:
        return (await gateway.post(f"/send_group_msg{query}", {**JOB, **(body or {})}, headers)).status

    assert await status() == 401
    assert await status("?access_token=") == 401
    assert await status("?access_token=bad") == 403
    assert await status("?access_token=bad", Authorization="Bearer good") == 403
    assert await status(Authorization="Bearer bad") == 403
    assert await status(body={"access_token": "bad"}) == 403
    # Of strangers nothing large is looked into.
    assert await status(body={"access_token": "good", "message": "x" * 65_536}) == 401
    assert await status(Authorization="Bearer reader") == 403
    assert world.napcat.received == []
    assert await status("?access_token=good", Authorization="Bearer bad") == 200
    assert await status(Authorization="Bearer good") == 200
    assert await status(Authorization="good") == 200
    assert await status(body={"access_token": "good"}) == 200
    assert len(world.napcat.received) == 4
    assert all(b"access_token" not in call.raw for call in world.napcat.received)
    for path in ("/get_status", "/no_such_action"):
        assert (await gateway.get(path)).status == 401
    assert (await gateway.post("/send_group_msg", b"{")).status == 401


async def test_a_key_reaches_its_targets_only(world: World) -> None:
    keys = [key("narrow", targets=["group:1"])]
    gateway = await world.gateway(auth={"keys": keys}, onebot={"pass": ["get_status", "get_group_member_info"]})
    assert (await gateway.post("/send_group_msg", JOB, bearer("narrow"))).status == 200
    assert (await gateway.post("/send_group_msg", {**JOB, "group_id": 2}, bearer("narrow"))).status == 403
    assert (await gateway.get("/get_status", bearer("narrow"))).status == 200
    assert (await gateway.get("/get_group_member_info?group_id=1&user_id=2", bearer("narrow"))).status == 403
    assert [call.target for call in world.napcat.received] == ["group:1"]


async def test_a_page_of_another_site_cannot_send_through_an_open_gateway(world: World) -> None:
    gateway = await world.gateway()
    for site in ("cross-site", "same-site"):
        told(await gateway.get("/send_group_msg?group_id=1&message=a", {"Sec-Fetch-Site": site}), 403)
    assert world.napcat.received == []
    assert (await gateway.get("/send_group_msg?group_id=1&message=a", {"Sec-Fetch-Site": "none"})).status == 200
