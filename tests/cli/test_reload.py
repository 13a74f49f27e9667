"""`gateway reload`: what was applied, in words or for programs; the faults, and exit code 2, when it was refused."""

import json

from tests.cli.commands import command
from tests.keys import key
from tests.world import WIDE, World


async def test_it_tells_what_was_applied_and_what_waits(world: World) -> None:
    second = world.account(name="second")
    gateway = await world.gateway(accounts=[world.account(), second])
    await gateway.post("/v1/accounts/second/pause", {})
    await gateway.post("/v1/jobs", {"group_id": "1", "message": "x", "account": "second"})
    gateway.change(accounts=[world.account()], http={"port": 1}, limits={**WIDE, "group": ["1/1s"]})
    told = await command(world.folder, gateway.url, "reload")
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines() == [
        "applied: accounts, limits.group; only a restart changes http.port",
        "  accounts removed: second",
        "  1 jobs wait for second, which is none of accounts any more",
    ]
    again = await command(world.folder, gateway.url, "reload", "--json")
    assert json.loads(again.out)["detail"] == "nothing changed; only a restart changes http.port"


async def test_each_fault_is_a_line_and_the_code_is_2(world: World) -> None:
    gateway = await world.gateway()
    gateway.change(limits={"grup": [], "group": ["x"]})
    told = await command(world.folder, gateway.url, "reload")
    assert (told.code, told.out) == (2, "")
    first, *faults = told.err.splitlines()
    assert first == "refused (settings_invalid): the settings are refused, and those from before go on"
    assert [fault.partition(":")[0] for fault in faults] == ["  limits.group.0", "  limits.grup"]


async def test_it_needs_a_key_with_admin_and_a_gateway_that_runs(world: World) -> None:
    gateway = await world.gateway(auth={"keys": [key("boss", scopes=["admin"]), key("guest", scopes=["read"])]})
    assert (await command(world.folder, gateway.url, "reload", GATEWAY_KEY="boss")).code == 0
    refused = await command(world.folder, gateway.url, "reload", GATEWAY_KEY="guest")
    assert (refused.code, refused.err) == (1, "not allowed: the key 'guest' has no scope 'admin'; see auth.keys\n")
    url = gateway.url
    await gateway.stop()
    assert (await command(world.folder, url, "reload")).code == 1
