"""Which deliveries go to which targets; pure."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gateway.intake.hooks.delivery import Payload
from gateway.intake.hooks.places import Path, spelled, texts_at
from gateway.settings.hooks import Match

_LONGEST = 4096  # characters of a text that a regular expression looks at


@dataclass(frozen=True)
class Route:
    """One of a hook's routes: it takes the events that one of its globs names, when all its tests fit the payload."""

    events: tuple[str, ...]
    tests: tuple[tuple[Path, Match], ...]
    targets: tuple[str, ...]

    def takes(self, event: str, payload: Payload) -> bool:
        """Return whether a delivery goes to these targets; a test fits when any value at its path does."""
        named = not self.events or named_by(self.events, event)
        return named and all(any(_fits(match, text) for text in texts_at(path, payload)) for path, match in self.tests)


def named_by(globs: tuple[str, ...], event: str) -> bool:
    """Return whether one of GLOBS names EVENT."""
    return any(fnmatchcase(event, glob) for glob in globs)


def _fits(match: Match, text: str) -> bool:
    if match.equals is not None:
        return text == spelled(match.equals)
    if match.glob is not None:
        return fnmatchcase(text, match.glob)
    return re.search(match.regex or "", text[:_LONGEST]) is not None
