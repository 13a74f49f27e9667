"""Without keys, no page of another site may make somebody's browser call."""

import pytest

from tests.world import World

PATHS = ("/v1/accounts/main/pause", "/v1/targets/group/1/park", "/v1/jobs", "/send_group_msg?group_id=1&message=x")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example:8080"},
        {"Host": "[::1"},
        {"Host": "[evil]:80"},
        {"Host": "evil.example:8080", "Origin": "http://evil.example:8080"},
    ],
)
@pytest.mark.parametrize("path", PATHS)
async def test_a_page_of_another_site_is_refused(world: World, path: str, headers: dict[str, str]) -> None:
    gateway = await world.gateway()
    assert (await gateway.post(path, {"group_id": 1, "message": "x"}, headers)).status == 403
    assert (await gateway.get("/status", headers)).status == 403
    assert world.napcat.received == []


@pytest.mark.parametrize(
    "headers", [{}, {"Host": "localhost:8080"}, {"Host": "[::1]:8080"}, {"Sec-Fetch-Site": "none"}]
)
async def test_who_sits_at_this_machine_may_call(world: World, headers: dict[str, str]) -> None:
    gateway = await world.gateway()
    assert (await gateway.post("/v1/jobs", {"group_id": 1, "message": "x"}, headers)).status == 202
