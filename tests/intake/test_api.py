"""Jobs over HTTP: what is taken, and how each refusal is told."""

from typing import Any
from urllib.parse import quote

from tests.world import Gateway, Reply, World, until

JOB = {"group_id": "1", "message": "hello"}
NO_DOCUMENT = {
    b"": "JSON",
    b'{"group_id": "1", ': "JSON",
    b"[]": "no JSON object",
    b'{"group_id": "1", "message": "a", "message": "b"}': "given twice",
    b'{"group_id": "1", "message": "a", "metadata": {"a": NaN}}': "NaN is no JSON",
    b'{"group_id": "1", "message": "a", "metadata": {"a": -Infinity}}': "-Infinity is no JSON",
    b'{"group_id": "1", "message": "\\ud800"}': "is no character to send",
    b'{"group_id": "1", "message": "\\u0000"}': "is no character to send",
    b'{"group_id": "1", "message": "\xff"}': "not UTF-8",
    '{"group_id": "1", "message": "a"}'.encode("utf-16"): "UTF-8",
    b'{"group_id": 9007199254740993, "message": "a"}': "loses digits",
    b'{"a":' * 40 + b"1" + b"}" * 40: "nests deeper",
}
"""Bodies that two readers could understand differently, or not at all, and what is said of them."""


async def post(gateway: Gateway, document: Any, **headers: str) -> Reply:
    return await gateway.post("/v1/jobs", document, {name.replace("_", "-"): value for name, value in headers.items()})


def is_problem(reply: Reply, status: int, code: str) -> bool:
    """Whether a reply is problem+json as the contract writes it."""
    document = reply.json
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    assert (reply.status, document["status"], document["code"]) == (status, status, code)
    assert document["detail"]
    return True


async def test_an_accepted_job_is_answered_with_its_id_and_where_to_look(world: World) -> None:
    gateway = await world.gateway()
    reply = await post(gateway, JOB)
    assert reply.status == 202
    assert reply.json == {"id": reply.json["id"], "state": "queued", "duplicate": False}
    assert reply.headers["Location"] == f"/v1/jobs/{reply.json['id']}"
    assert (await gateway.get(reply.headers["Location"])).json["id"] == reply.json["id"]


async def test_the_same_fields_under_the_same_key_are_the_first_job(world: World) -> None:
    gateway = await world.gateway()
    first = await post(gateway, {**JOB, "key": "a"})
    again = await post(gateway, {"key": "a", "message": "hello", "group_id": "1"})
    assert (again.status, again.json["id"], again.json["duplicate"]) == (202, first.json["id"], True)
    await world.ended(1)
    assert world.napcat.texts("group:1") == ["hello"]


async def test_other_fields_under_the_same_key_are_refused(world: World) -> None:
    gateway = await world.gateway()
    await post(gateway, {**JOB, "key": "a"})
    reply = await post(gateway, {**JOB, "message": "another", "key": "a"})
    assert is_problem(reply, 422, "key_reused")
    assert [fault["loc"] for fault in reply.json["errors"]] == ["key"]


async def test_the_header_is_the_same_key_as_the_field(world: World) -> None:
    gateway = await world.gateway()
    first = await post(gateway, {**JOB, "key": "a"})
    by_header = await post(gateway, JOB, Idempotency_Key="a")
    by_both = await post(gateway, {**JOB, "key": "a"}, Idempotency_Key="a")
    assert [reply.json["id"] for reply in (by_header, by_both)] == [first.json["id"]] * 2
    assert (await gateway.receipt("key:a")).id == first.json["id"]


async def test_two_different_keys_for_one_job_are_refused(world: World) -> None:
    gateway = await world.gateway()
    reply = await post(gateway, {**JOB, "key": "a"}, Idempotency_Key="b")
    assert is_problem(reply, 422, "job_invalid")
    assert [fault["type"] for fault in reply.json["errors"]] == ["key_conflict"]


async def test_a_key_in_the_header_has_the_same_bounds_as_the_field(world: World) -> None:
    gateway = await world.gateway()
    for key in ("", "k" * 129):
        assert is_problem(await post(gateway, JOB, Idempotency_Key=key), 422, "job_invalid")


async def test_a_key_is_one_space_for_the_stream_and_for_http(world: World) -> None:
    gateway = await world.gateway()
    await world.add({**JOB, "key": "a"})
    (receipt,) = await world.ended(1)
    same = await post(gateway, {**JOB, "key": "a"})
    assert (same.json["id"], same.json["duplicate"]) == (receipt.id, True)
    assert is_problem(await post(gateway, {**JOB, "message": "other", "key": "a"}), 422, "key_reused")
    await world.add({**JOB, "message": "other", "key": "a"})
    (invalid,) = await until(world.producer.invalid)
    assert invalid["code"] == "key_reused"


async def test_a_body_that_is_not_one_strict_json_object_is_refused_with_the_reason(world: World) -> None:
    gateway = await world.gateway()
    for body, words in NO_DOCUMENT.items():
        reply = await post(gateway, body)
        assert is_problem(reply, 400, "json_invalid")
        assert words in reply.json["detail"]


async def test_a_body_over_the_limit_is_refused(world: World) -> None:
    gateway = await world.gateway(http={"port": 0, "max_body": "1KiB"})
    assert is_problem(await post(gateway, {**JOB, "message": "x" * 1024}), 413, "too_large")
    assert (await post(gateway, {**JOB, "message": "x" * 900})).status == 202


async def test_a_body_of_another_content_type_is_refused(world: World) -> None:
    gateway = await world.gateway()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert is_problem(await post(gateway, JOB, Content_Type=kind), 415, "content_type")


async def test_a_charset_beside_the_content_type_is_fine(world: World) -> None:
    gateway = await world.gateway()
    assert (await post(gateway, JOB, Content_Type="application/json; charset=utf-8")).status == 202


async def test_every_wrong_field_of_a_job_is_named_at_once(world: World) -> None:
    gateway = await world.gateway()
    reply = await post(gateway, {"group_id": "x", "mesage": "a", "priority": "urgent", "ttl": "soon"})
    assert is_problem(reply, 422, "job_invalid")
    assert {fault["loc"] for fault in reply.json["errors"]} == {"group_id", "message", "mesage", "priority", "ttl"}
    assert all(fault["msg"] and fault["type"] for fault in reply.json["errors"])


async def test_every_wrong_segment_of_a_message_is_named_at_once(world: World) -> None:
    gateway = await world.gateway()
    message = [{"type": "txt", "data": {}}, "fine", {"type": "face", "data": {"id": "smile"}}]
    reply = await post(gateway, {"group_id": "1", "message": message})
    assert is_problem(reply, 422, "message_invalid")
    assert [fault["loc"] for fault in reply.json["errors"]] == ["message.0.type", "message.2.data.id"]


async def test_an_extreme_time_is_a_wrong_field_like_any_other(world: World) -> None:
    gateway = await world.gateway()
    reply = await post(gateway, {**JOB, "not_before": "9999-12-31T23:59:59-12:00"})
    assert is_problem(reply, 422, "job_invalid")


async def test_an_unknown_account_is_refused_with_the_known_ones(world: World) -> None:
    gateway = await world.gateway()
    reply = await post(gateway, {**JOB, "account": "mian"})
    assert is_problem(reply, 422, "account_unknown")
    assert "main" in reply.json["errors"][0]["msg"]


async def test_a_job_goes_to_the_account_of_the_first_route_that_matches(world: World) -> None:
    gateway = await world.gateway(
        accounts=[world.account(), world.account(name="second"), world.account(name="third")],
        routes=[{"target": "group:12*", "account": "second"}, {"target": "group:*", "account": "third"}],
    )

    async def account_of(**fields: Any) -> str:
        return str((await post(gateway, {"message": "hello", **fields})).json["id"]).partition(".")[0]

    assert await account_of(group_id="123") == "second"
    assert await account_of(group_id="13") == "third"
    assert await account_of(user_id="123") == "main"
    assert await account_of(group_id="123", account="main") == "main"


async def test_a_full_account_takes_no_job_until_it_has_room(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=300)
    gateway = await world.gateway(intake={"max_queued": 1})
    assert (await post(gateway, JOB)).status == 202
    reply = await post(gateway, JOB)
    assert is_problem(reply, 503, "queue_full")
    assert int(reply.headers["Retry-After"]) > 0
    await world.ended(1)
    assert (await post(gateway, JOB)).status == 202


async def test_a_job_that_is_known_already_is_answered_by_a_full_account_too(world: World) -> None:
    world.napcat.behave("group:1", "delay", times=1, ms=300)
    gateway = await world.gateway(intake={"max_queued": 1})
    await post(gateway, {**JOB, "key": "a"})
    assert (await post(gateway, {**JOB, "key": "a"})).json["duplicate"] is True


async def test_an_id_of_no_job_is_not_found(world: World) -> None:
    gateway = await world.gateway()
    unknown, foreign = "main.abcdefghijklmnopqrstuv", "other.abcdefghijklmnopqrstuv"
    for name in ("x", "main", "main.", "main.x", ".x", unknown, foreign, "main.%2e%2e", "key:none", "key:", "é"):
        assert is_problem(await gateway.get(f"/v1/jobs/{name}"), 404, "job_not_found")


async def test_a_job_is_found_by_its_key_whatever_that_is(world: World) -> None:
    gateway = await world.gateway()
    for key in ("a", "hook:github:1:group:1", "a b", "a/b", "a%2Fb", "é", "?", "0"):
        posted = await post(gateway, {**JOB, "key": key})
        assert (await gateway.receipt(f"key:{quote(key, safe='')}")).id == posted.json["id"]


async def test_a_key_is_looked_up_in_the_account_that_is_named(world: World) -> None:
    gateway = await world.gateway(accounts=[world.account(), world.account(name="second")])
    posted = await post(gateway, {**JOB, "key": "a", "account": "second"})
    assert (await gateway.get("/v1/jobs/key:a?account=second")).json["id"] == posted.json["id"]
    assert (await gateway.get("/v1/jobs/key:a")).status == 404
    assert (await gateway.get("/v1/jobs/key:a?account=nobody")).status == 404


async def test_a_body_that_is_not_encoded_as_it_says_is_refused(world: World) -> None:
    gateway = await world.gateway()
    assert is_problem(await post(gateway, JOB, Content_Encoding="gzip"), 400, "body_unreadable")


async def test_wrong_fields_and_wrong_segments_are_told_together(world: World) -> None:
    gateway = await world.gateway()
    wrong = {"group_id": "abc", "prioritty": "high", "message": [{"type": "poke", "data": {}}, "fine"]}
    reply = await post(gateway, wrong)
    assert reply.status == 422
    assert {fault["loc"].split(".type")[0] for fault in reply.json["errors"]} == {"group_id", "prioritty", "message.0"}
