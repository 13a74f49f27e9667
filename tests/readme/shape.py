"""Whether an answer is what a document prints: the same keys and types, and the same words where they are fixed."""

from collections.abc import Iterator
from typing import Any

VARYING = {"id", "job", "message_id", "message_ids", "count", "key", "target"}
"""Fields whose value is another each time; so is every text that is printed with an ellipsis, and every time."""


def differences(printed: Any, answered: Any, path: str = "") -> Iterator[str]:
    """Yield what is otherwise in an answer than it is printed."""
    where = path or "the answer"
    if isinstance(printed, dict) and isinstance(answered, dict):
        for name in printed.keys() - answered.keys():
            yield f"{where} has no {name!r}"
        for name in answered.keys() - printed.keys():
            yield f"{where} has {name!r}, which is not printed"
        for name in printed.keys() & answered.keys():
            yield from differences(printed[name], answered[name], f"{path}.{name}".removeprefix("."))
    elif isinstance(printed, list) and isinstance(answered, list):
        if bool(printed) != bool(answered):
            yield f"{where} has {len(answered)} items; {len(printed)} are printed"
        for number, item in enumerate(answered if printed else []):
            yield from differences(printed[min(number, len(printed) - 1)], item, f"{path}[{number}]")
    elif type(printed) is not type(answered) or (printed != answered and not _varies(printed, path)):
        yield f"{where} is {answered!r}; {printed!r} is printed"


def _varies(printed: Any, path: str) -> bool:
    name = path.rpartition(".")[2].partition("[")[0]
    return name in VARYING or name.endswith("_at") or (isinstance(printed, str) and "…" in printed)
