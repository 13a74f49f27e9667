"""What the HTTP paths are served with, for as long as the settings are what they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from aiohttp import web

from gateway.intake.hooks.hooks import Hooks
from gateway.monitor.look import Looks
from gateway.monitor.status import Monitor
from gateway.web import Handler


@dataclass(frozen=True)
class Serving:
    """The paths and who serves them, and those behind them that have to be asked or ended."""

    hooks: Hooks
    looks: Looks
    monitor: Monitor
    routes: Sequence[web.RouteDef]

    @cached_property
    def handlers(self) -> Mapping[tuple[str, str], Handler]:
        """Who serves each method and path, as they stand in the table of paths."""
        return {(route.method, route.path): route.handler for route in self.routes}
