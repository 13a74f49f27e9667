"""Every script's keys lie in one slot of a Redis Cluster."""

import re
from importlib.resources import files

import pytest
from redis.crc import key_slot

from gateway.settings.settings import OWN_KEYS
from gateway.store.keys import RING, Keys

LUA = files("gateway.store") / "lua"


@pytest.mark.parametrize("account", ["main", "second", "a-b_c"])
def test_all_keys_of_an_account_lie_in_one_slot(account: str) -> None:
    slots = {key_slot(key.encode()) for key in Keys("gw").account(account)}
    assert len(slots) == 1


@pytest.mark.parametrize("name", ["gw:jobs:list", "jobs", "a:{b}:c"])
def test_the_stream_and_the_lease_of_a_list_lie_in_its_own_slot(name: str) -> None:
    keys = Keys("gw")
    assert key_slot(name.encode()) == key_slot(keys.list_stream(name).encode()) == key_slot(keys.reader(name).encode())


@pytest.mark.parametrize("account", ["main", "a-b_c"])
def test_the_lease_of_a_listener_lies_in_the_accounts_slot_and_is_no_other_key_of_it(account: str) -> None:
    keys = Keys("gw")
    lease = keys.listener(account)
    assert key_slot(lease.encode()) == key_slot(account.encode())
    assert lease not in keys.account(account)


def test_the_lua_side_takes_the_ring_in_the_same_order() -> None:
    text = (LUA / "account.lua").read_text()
    names = [name for line in re.findall(r"^local ([A-Z_, ]+) = KEYS", text, re.MULTILINE) for name in line.split(", ")]
    assert [name.lower() for name in names] == [name.rstrip(":") for name in RING]


def test_the_stream_of_a_source_name_that_producers_know_is_never_a_private_key() -> None:
    keys = Keys("gw")
    assert keys.invalid == "gw:invalid"
    assert "gw:{main}:receipts" in keys.account("main")


def test_the_settings_know_which_names_are_the_gateways_own() -> None:
    ours = {getattr(Keys("gw"), name) for name, field in vars(Keys).items() if isinstance(field, property)}
    assert ours <= {f"gw:{name}" for name in OWN_KEYS}, "bring OWN_KEYS of the settings up to date"
