"""What holds for each segment type: tables read off the one list of them, `segment.Segment`."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from typing_extensions import is_typeddict

from gateway.model.segment import Segment, ThrowData
from gateway.model.trait import NOT_SENT, Trait


def _listed() -> Iterator[tuple[str, Trait, list[type]]]:
    """Yield each type with its trait and the typed dictionaries its data may be."""
    for line in get_args(get_args(Segment.__value__)[0]):
        segment, trait = get_args(line) if get_origin(line) is Annotated else (line, Trait())
        kind, *data = get_args(segment)
        yield get_args(kind)[0], trait, list(_dictionaries(data[0] if data else ThrowData))


def _dictionaries(hint: Any) -> Iterator[type]:
    if is_typeddict(hint):
        yield hint
    for inner in get_args(hint):
        yield from _dictionaries(inner)


def _unsent(dictionary: type) -> set[str]:
    hints = get_type_hints(dictionary, include_extras=True)
    return {name for name, hint in hints.items() if NOT_SENT in get_args(get_args(hint)[0])}


def _names(dictionary: Any) -> tuple[str, ...]:
    return tuple(sorted(get_type_hints(dictionary), key=lambda name: name not in dictionary.__required_keys__))


_TYPES = list(_listed())

ALTERNATIVES = {kind: [_names(one) for one in data] for kind, _, data in _TYPES}
"""The fields of each type, those it needs first; one tuple for each form its data may have."""
FIELDS = {kind: tuple(dict.fromkeys(name for form in forms for name in form)) for kind, forms in ALTERNATIVES.items()}
"""The same, the fields of all forms together."""
UNSENT = {kind: unsent for kind, _, data in _TYPES if (unsent := frozenset[str]().union(*map(_unsent, data)))}
"""Those of them that are accepted and not sent."""
SOURCES = frozenset({"url", "file", "path"})
"""The fields that say where a medium is."""
MEDIA = frozenset(kind for kind, fields in FIELDS.items() if SOURCES.issubset(fields))
"""Types whose data is a medium."""
ALONE = frozenset(kind for kind, trait, _ in _TYPES if trait.alone)
"""Types that are a message of their own."""
REPORTED_AS = {kind: trait.reported_as for kind, trait, _ in _TYPES if trait.reported_as}
"""The type NapCat reports one as, where that is another."""
TOLD_BY = {kind: trait.told_by for kind, trait, _ in _TYPES if trait.told_by}
"""The field by which two of a type are told apart in what NapCat reports."""
