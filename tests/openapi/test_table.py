"""What is described over HTTP is what is served, both ways."""

import re
from typing import Any

from gateway.openapi import openapi_document
from gateway.openapi.table import OPERATIONS
from tests.world import World

ONEBOT = re.compile(r"[._]?[A-Za-z0-9]+(_[A-Za-z0-9]+)+")


async def routes(world: World) -> set[tuple[str, str]]:
    """Return method and path of all that a gateway serves; HEAD is served wherever GET is."""
    gateway = await world.gateway()
    found = set()
    for route in gateway.app.router.routes():
        assert route.resource is not None
        # A hook takes the methods of its product, and says which.
        methods = {"GET", "POST"} if route.method == "*" else {route.method} - {"HEAD"}
        found |= {(method.lower(), route.resource.canonical.replace("{slash}", "")) for method in methods}
    return found


def is_action(path: str) -> bool:
    return ONEBOT.fullmatch(path.rpartition("/")[2]) is not None and path.count("/") <= 2


async def test_every_path_that_is_served_is_described_and_every_one_described_is_served(world: World) -> None:
    described = {
        (
            operation.method,
            re.sub(r"[^/]+$", "{action}", operation.path) if is_action(operation.path) else operation.path,
        )
        for operation in OPERATIONS
    }
    assert described == await routes(world)


def test_each_operation_has_a_name_of_its_own() -> None:
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = openapi_document()

    def follow(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(reference := value.get("$ref"), str):
                found: Any = document
                for step in reference.removeprefix("#/").split("/"):
                    found = found[step]
            for inner in value.values():
                follow(inner)
        elif isinstance(value, list):
            for inner in value:
                follow(inner)

    follow(document)
