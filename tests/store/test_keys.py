"""What keys are called: those of an account, and those of a source, lie in one slot of a Redis Cluster."""

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from redis.crc import key_slot

from gateway.settings import Account
from gateway.settings.sections import Source
from gateway.settings.settings import OWN_KEYS
from gateway.store.keys import RING, Keys

KEYS = Keys("gw")
LUA = files("gateway.store") / "lua"


names = st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="{}"))
sources = st.builds("{}{{{}}}{}".format, names, names.filter(bool), names) | names.filter(bool)


@given(sources, st.sampled_from(["gw", "a.b_c-D"]))
def test_whatever_a_source_is_called_its_lease_and_its_stream_lie_in_its_slot(source: str, prefix: str) -> None:
    assert TypeAdapter(Source).validate_python(source) == source
    keys = Keys(prefix)
    assert {key_slot(key.encode()) for key in (keys.reader(source), keys.list_stream(source))} == {
        key_slot(source.encode())
    }


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True), st.text())
def test_whatever_an_account_is_called_its_keys_and_all_that_begin_with_them_lie_in_one_slot(
    account: str, rest: str
) -> None:
    assert Account(name=account, endpoint="http://127.0.0.1").name == account
    keys = KEYS.account(account)
    spelled = [key + rest if key.endswith(":") else key for key in keys]
    assert {key_slot(key.encode("utf-8", "replace")) for key in keys + spelled} == {key_slot(account.encode())}


def test_sources_that_share_a_hash_tag_have_a_lease_and_a_stream_each() -> None:
    for name_of in (KEYS.reader, KEYS.list_stream):
        assert len({name_of(source) for source in ("{q}:high", "{q}:low", "q")}) == 3


@pytest.mark.parametrize("account", ["main", "a-b_c"])
def test_the_lease_of_a_listener_lies_in_the_accounts_slot_and_is_no_other_key_of_it(account: str) -> None:
    lease = KEYS.listener(account)
    assert key_slot(lease.encode()) == key_slot(account.encode())
    assert lease not in KEYS.account(account)


def test_the_lua_side_takes_the_ring_in_the_same_order() -> None:
    text = (LUA / "included" / "account.lua").read_text()
    names = [name for line in re.findall(r"^local ([A-Z_, ]+) = KEYS", text, re.MULTILINE) for name in line.split(", ")]
    assert [name.lower() for name in names] == [name.rstrip(":") for name in RING]


def test_what_producers_are_told_of_is_called_as_they_know_it() -> None:
    assert KEYS.invalid == "gw:invalid"
    assert "gw:{main}:receipts" in KEYS.account("main")


def test_the_settings_know_which_names_are_the_gateways_own() -> None:
    ours = {getattr(KEYS, name) for name, field in vars(Keys).items() if isinstance(field, property)}
    assert ours <= {f"gw:{name}" for name in OWN_KEYS}, "bring OWN_KEYS of the settings up to date"
