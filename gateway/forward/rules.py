"""The built-in rules, read from `rules.yaml` once, with the operator's own in front."""

from collections.abc import Sequence
from functools import cache
from importlib import resources

import yaml

from gateway.model.verdict import Rule


def load_rules(own: Sequence[Rule] = ()) -> tuple[Rule, ...]:
    """Return the policy in order of precedence: the operator's rules, then the built-in table.

    Raises pydantic's ValidationError when the packaged table is damaged.
    """
    return (*own, *_built_in())


@cache
def _built_in() -> tuple[Rule, ...]:
    rows = yaml.safe_load(resources.files("gateway.forward").joinpath("rules.yaml").read_text("utf-8"))
    return tuple(Rule.model_validate(row | alternative) for row in rows for alternative in row.pop("when", [{}]))
