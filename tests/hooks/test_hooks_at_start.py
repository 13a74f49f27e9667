"""Hooks that cannot work."""

from typing import Any

import pytest

from gateway.model.errors import SettingsInvalid
from tests.hooks.calls import GROUP, SECRET, github
from tests.world import World


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ({"name": "a", "preset": "github", "targets": GROUP}, "hooks.0.secret: give the secret"),
        (github(secret=""), "hooks.0.secret: give the secret"),
        (github(preset="gitbub"), "hooks.0.preset: there is no preset 'gitbub'; known: "),
        (github(template="{% if %}"), "hooks.0.template: line 1: "),
        (github(template="{{ a | nothing }}"), "hooks.0.template: "),
        (github(collapse_key="{{ a"), "hooks.0.collapse_key: line 1: "),
        (github(verify={"kind": "hmac"}), "hooks.0.verify.header: name the header"),
        (
            github(routes=[{"match": [{"path": "$[", "equals": 1}], "targets": GROUP}]),
            "hooks.0.routes.0.match.0.path: ",
        ),
        (github(preset="standard"), "hooks.0.secret: Standard Webhooks need"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_hook_that_cannot_work_keeps_the_gateway_from_starting(
    world: World, hook: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        await world.gateway(hooks=[hook])
    assert str(caught.value).startswith(said), str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
