"""Which OneBot actions may be passed through, and why others are not."""

import pytest
from pydantic import ValidationError

from gateway.model.action import HARMLESS, why_not_passed
from gateway.settings import Settings

SECRET = [
    "get_cookies",
    "get_credentials",
    "get_csrf_token",
    "get_rkey",
    "nc_get_rkey",
    "get_clientkey",
    "get_rkey_server",
]
SENDS = [
    "send_msg",
    "send_group_msg",
    "send_like",
    "_send_group_notice",
    "send_private_forward_msg",
    "forward_group_single_msg",
]
SENDS += ["upload_group_file", "group_poke", "friend_poke", ".handle_quick_operation", "send_packet"]
DELETES = ["delete_msg", "delete_friend", "delete_group_file", "_delete_group_notice"]
FINE = ["get_group_info", "get_group_member_list", "get_msg", "can_send_image", "get_friend_list", "set_group_ban"]


@pytest.mark.parametrize("action", [*HARMLESS, *FINE])
def test_what_an_operator_may_list_is_passed(action: str) -> None:
    assert why_not_passed(action) is None


@pytest.mark.parametrize(("actions", "reason"), [(SECRET, "secrets"), (SENDS, "past the queue"), (DELETES, "deletes")])
def test_what_tells_secrets_sends_or_deletes_is_not_passed_under_any_of_its_names(
    actions: list[str], reason: str
) -> None:
    for action in actions:
        for name in (action, f"{action}_async", f"{action}_rate_limited", f"{action}_async_async"):
            assert reason in (why_not_passed(name) or ""), name


@pytest.mark.parametrize("name", ["", "/get_status", "get status", "get_status?a=b", "../get_status", "获取"])
def test_what_is_no_name_of_an_action_is_not_passed(name: str) -> None:
    assert "no name" in (why_not_passed(name) or "")


def test_the_settings_refuse_such_an_action_with_the_reason() -> None:
    with pytest.raises(ValidationError, match="'get_cookies' is not passed through: it tells secrets"):
        Settings.model_validate({"onebot": {"pass": ["get_status", "get_cookies"]}})
