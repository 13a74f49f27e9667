"""What a template may do: no attribute of Python's, no file, and nothing that takes long or grows without bound."""

import json
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Any, Literal

from jinja2 import Environment, nodes, pass_environment
from jinja2.filters import do_round, make_attrgetter
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from gateway.intake.hooks.filters import FILTERS

LONGEST = 64 * 1024  # characters of an output
_LARGEST = 16 * 1024**2  # characters of what a filter is given: more than any payload has
_MOST = 1024**2  # values in what a filter is given
_LONGEST_NUMBER = 4096  # bits
SECONDS = 1.0
_LOOPS = (nodes.For, nodes.Macro, nodes.CallBlock)
_DATA = (str, bytes, int, float, list, tuple, set, Mapping)
_METHODS = frozenset(
    (  # noqa: SIM905 - as a list it has forty lines
        "capitalize casefold count endswith find get index isalnum isalpha isdecimal isdigit islower isnumeric isspace "
        "istitle isupper items keys lower lstrip partition removeprefix removesuffix rfind rindex rpartition rsplit "
        "rstrip split splitlines startswith strip swapcase title upper values"
    ).split()
)
"""All that may be called of data; none of them makes much out of little, or changes anything."""
_UNKNOWN = ["batch", "center", "format", "indent", "pprint", "random", "slice", "urlize", "wordwrap", "xmlattr"]
"""Filters that make much out of little, or HTML, or are not the same twice."""

ENDS_AT: ContextVar[float] = ContextVar("ends_at", default=float("inf"))
"""When the rendering has to end, in time.monotonic() seconds; what is constant is made before there is one."""


class TemplateFailed(Exception):
    """A template could not make a message of this payload; says why, in words for who wrote it."""


class _Concatenations(NodeTransformer):
    """Turns each `a ~ b` into a call that looks how long the result is."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:  # noqa: N802 - Jinja2's name for it
        """Return the call."""
        self.generic_visit(node)
        call = nodes.Call(nodes.EnvironmentAttribute("concatenated"), node.nodes, [], None, None)
        call.set_lineno(node.lineno)
        return call


class Sandbox(ImmutableSandboxedEnvironment):
    """A sandbox in which loops, macros and filters look at the clock, and nothing grows without bound."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self, **options: Any) -> None:
        """Know only the filters and functions that stay within bounds; OPTIONS are Jinja2's."""
        super().__init__(**options)
        for name in _UNKNOWN:
            self.filters.pop(name, None)
        self.filters.update(FILTERS, join=_joined, replace=_replaced, round=_rounded, sum=_summed, tojson=_as_json)
        self.filters = {name: _guarded(function) for name, function in self.filters.items()}
        self.globals = {"range": self.globals["range"], "namespace": self.globals["namespace"]}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Parse a template; put a look at the clock into each loop and each macro, and a bound on what `~` makes."""
        tree = _Concatenations().visit(super()._parse(source, name, filename))
        for loop in tree.find_all(_LOOPS):
            look = nodes.ExprStmt(nodes.Call(nodes.EnvironmentAttribute("look"), [], [], None, None))
            look.set_lineno(loop.lineno)
            loop.body.insert(0, look)
        return tree  # type: ignore[no-any-return]  # a visitor returns anything

    @staticmethod
    def look() -> None:
        """Look at the clock; raises TemplateFailed when it is too late."""
        if time.monotonic() > ENDS_AT.get():
            raise TemplateFailed(f"it took longer than {SECONDS:.0f} s; look at its loops")

    @staticmethod
    def concatenated(*values: Any) -> str:
        """Return the text of all VALUES."""
        return _within("".join(map(str, values)), sum(map(size_of, values)))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Return whether a template may ask for an attribute: of data only the methods that do no harm."""
        return attr in _METHODS if isinstance(obj, _DATA) else super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Let `format` be as any method that is not known: it pads without bound."""

    def unsafe_undefined(self, obj: Any, attribute: str) -> Any:
        """Return what a mapping has under a name that is also one of Python's, such as `copy`."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().unsafe_undefined(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Return what an operator makes; raises TemplateFailed when that is too much."""
        sizes = [len(one) for one in (left, right) if isinstance(one, str | list | tuple)]
        bits = [one.bit_length() for one in (left, right) if isinstance(one, int)]
        if operator == "*" and sizes and sizes[0] * max(0, right if isinstance(right, int) else left) > LONGEST:
            raise TemplateFailed(f"a repetition is longer than {LONGEST} characters")
        if operator == "+" and sum(sizes) > 4 * LONGEST:
            raise TemplateFailed(f"a text is longer than {4 * LONGEST} characters")
        if operator == "%" and isinstance(left, str):
            raise TemplateFailed("write ~ to put texts together, not %")
        if operator == "**" and (abs(left) > 1_000 or abs(right) > 16):
            raise TemplateFailed("a power is too large")
        if sum(bits) > _LONGEST_NUMBER:
            raise TemplateFailed("a number is too large")
        return super().call_binop(context, operator, left, right)


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that looks at the clock, and takes nothing that is larger than any payload."""

    @wraps(function)
    def guarded(*values: Any, **named: Any) -> Any:
        Sandbox.look()
        for value in (*values, *named.values()):
            if isinstance(value, str | list | tuple | dict):  # and no context of Jinja2's, which is a mapping too
                size_of(value)
        return function(*values, **named)

    return guarded


def size_of(value: Any) -> int:
    """Return how many characters and values there are in VALUE; raises TemplateFailed when there are too many."""
    if isinstance(value, str):
        size = len(value)
    else:
        size, seen, waiting = 0, 0, [value]
        while waiting and seen <= _MOST:
            one = waiting.pop()
            seen += 1
            size += len(one) if isinstance(one, str) else 1
            if isinstance(one, Mapping):
                waiting += (*one.keys(), *one.values())
            elif isinstance(one, list | tuple):
                waiting += one
        size += _LARGEST * bool(waiting)
    if size > _LARGEST:
        raise TemplateFailed("a value is larger than any payload")
    return size


def _within(text: str, size: int = 0) -> str:
    if max(len(text), size) > 4 * LONGEST:
        raise TemplateFailed(f"a text is longer than {4 * LONGEST} characters")
    return text


@pass_environment
def _joined(environment: Environment, values: Any, d: str = "", attribute: str | int | None = None) -> str:
    parts = _picked(environment, values, attribute)
    _within("", sum(map(size_of, parts)) + len(str(d)) * len(parts))
    return str(d).join(map(str, parts))


@pass_environment
def _summed(environment: Environment, values: Any, attribute: str | int | None = None) -> Any:
    return sum(value for value in _picked(environment, values, attribute) if isinstance(value, int | float))


def _picked(environment: Environment, values: Any, attribute: str | int | None) -> list[Any]:
    return list(values if attribute is None else map(make_attrgetter(environment, attribute), values))


def _replaced(value: Any, old: str, new: str, count: int = -1) -> str:
    text, most = str(value), 2**31 if count < 0 else count
    if len(str(new)) > len(str(old)):
        _within("", len(text) + min(text.count(str(old)), most) * len(str(new)))
    return text.replace(str(old), str(new), count)


def _rounded(value: float, precision: int = 0, method: Literal["common", "ceil", "floor"] = "common") -> float:
    return do_round(value, max(-15, min(15, precision)), method)


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
