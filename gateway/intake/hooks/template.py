"""Templates that turn the data of others into a message: they see nothing else, and end in time."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from gateway.intake.hooks.filters import FILTERS
from gateway.model.errors import Refused

Segments = list[dict[str, Any]]

_LONGEST = 64 * 1024  # characters of an output
_SECONDS = 1.0
_TICK, _CONCAT = "tick_", "concat_"
_LOOPS = (nodes.For, nodes.Macro, nodes.CallBlock)
_PADDING = frozenset({"format", "format_map", "center", "ljust", "rjust", "zfill", "expandtabs", "replace", "join"})
"""Methods of strings that make much out of little; the filters of these names do it within bounds."""
_MARK = re.compile("\ue000([0-9]+)\ue001")
_LEFT_OUT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ue000\ue001]")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")  # YAML takes these only escaped


class TemplateFailed(Exception):
    """A template could not make a message of this payload; says why, in words for who wrote it."""


class Template:
    """One compiled template. Its output is text, or (`segments`) a YAML or JSON list of segments.

    In a text, `at(qq)`, `face(id)` and `image(url)` put segments between the words; no payload can. In a list
    every `{{ value }}` is written as JSON, quotes included, so that no value can become structure. Python attributes,
    files and the network are out of reach; loops end within a second, and so do their outputs at 64 Ki characters.
    """

    def __init__(self, text: str, *, segments: bool) -> None:
        """Compile TEXT; raises Refused when it is no template."""
        self._segments = segments
        environment = _Environment(
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            finalize=_as_json if segments else _as_text,
        )
        try:
            self._template = environment.from_string(text)
        except TemplateSyntaxError as error:
            raise Refused("template_invalid", f"line {error.lineno}: {error.message}") from None
        except TemplateError as error:
            raise Refused("template_invalid", str(error.message)) from None

    def render(self, values: Mapping[str, Any]) -> Segments:
        """Return the segments made of VALUES, none when there is nothing to say; raises TemplateFailed."""
        placed: Segments = []
        ends_at = time.monotonic() + _SECONDS

        def tick() -> str:
            if time.monotonic() > ends_at:
                raise TemplateFailed(f"it took longer than {_SECONDS:.0f} s; look at its loops")
            return ""

        def put(kind: str, **data: str) -> str:
            placed.append({"type": kind, "data": data})
            return f"\ue000{len(placed) - 1}\ue001"

        def image(url: Any) -> str:
            return put("image", file=url) if isinstance(url, str) and re.match(r"https?://", url) else ""

        given = {
            **_unmarked(values),
            _TICK: tick,
            _CONCAT: _concatenated,
            "at": lambda qq: put("at", qq=str(qq)),
            "face": lambda face: put("face", id=str(face)),
            "image": image,
        }
        try:
            output = self._output(given, tick)
        except TemplateFailed:
            raise
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
            raise TemplateFailed(f"{type(error).__name__}: {str(error)[:300]}") from None
        return _listed(output) if self._segments else _told(output, placed)

    def _output(self, given: Mapping[str, Any], tick: Callable[[], str]) -> str:
        pieces, length = [], 0
        for piece in self._template.generate(given):
            tick()
            pieces.append(piece)
            length += len(piece)
            if length > _LONGEST:
                raise TemplateFailed(f"its output has more than {_LONGEST} characters; cut what is long")
        return "".join(pieces)


class _Concatenations(NodeTransformer):
    """Turns each `a ~ b` into a call that looks how long the result is."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:  # noqa: N802 - Jinja2's name for it
        """Return the call."""
        self.generic_visit(node)
        call = nodes.Call(nodes.Name(_CONCAT, "load"), node.nodes, [], None, None)
        call.set_lineno(node.lineno)
        return call


def _concatenated(*values: Any) -> str:
    text = "".join(map(str, values))
    if len(text) > 4 * _LONGEST:
        raise TemplateFailed(f"a text is longer than {4 * _LONGEST} characters")
    return text


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which loops and macros look at the clock, and nothing grows without bound."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name in ("center", "format", "indent", "xmlattr", "pprint", "urlize", "random"):
            self.filters.pop(name, None)  # they pad without bound, write HTML, or are not the same twice
        self.filters.update(FILTERS)
        self.globals = {"range": self.globals["range"], "namespace": self.globals["namespace"]}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Parse a template; put a look at the clock into each loop and each macro, and a bound on what `~` makes."""
        tree = _Concatenations().visit(super()._parse(source, name, filename))
        for loop in tree.find_all(_LOOPS):
            look = nodes.ExprStmt(nodes.Call(nodes.Name(_TICK, "load"), [], [], None, None))
            look.set_lineno(loop.lineno)
            loop.body.insert(0, look)
        return tree  # type: ignore[no-any-return]  # a visitor returns anything

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str) and attr in _PADDING:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        sizes = [len(one) for one in (left, right) if isinstance(one, str | list | tuple)]
        if operator == "*" and sizes and sizes[0] * max(0, right if isinstance(right, int) else left) > _LONGEST:
            raise TemplateFailed(f"a repetition is longer than {_LONGEST} characters")
        if operator == "+" and sum(sizes) > 4 * _LONGEST:
            raise TemplateFailed(f"a text is longer than {4 * _LONGEST} characters")
        if operator == "%" and isinstance(left, str):
            raise TemplateFailed("write ~ to put texts together, not %")
        if operator == "**" and (abs(left) > 1_000 or abs(right) > 16):
            raise TemplateFailed("a power is too large")
        return super().call_binop(context, operator, left, right)


def _as_text(value: Any) -> Any:
    return "" if value is None else value


def _as_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _unmarked(value: Any) -> Any:
    """Return VALUE without the marks between which a text names its segments, and without what QQ cannot carry."""
    if isinstance(value, str):
        return _LEFT_OUT.sub("", value)
    if isinstance(value, Mapping):
        return {_unmarked(key): _unmarked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_unmarked(inner) for inner in value]
    return value


def _told(output: str, placed: Segments) -> Segments:
    """Return OUTPUT as text, cut where segments were PLACED in it; white space at its ends says nothing."""
    text = re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", output)).strip()
    segments: Segments = []
    for position, piece in enumerate(_MARK.split(text)):
        if position % 2:
            segments.append(placed[int(piece)])
        elif piece:
            segments.append({"type": "text", "data": {"text": piece}})
    return segments


def _listed(output: str) -> Segments:
    try:
        listed = yaml.safe_load(output)
    except yaml.YAMLError as error:
        raise TemplateFailed(f"its output is no YAML: {' '.join(str(error).split())[:200]}") from None
    if listed is None:
        return []
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not all(isinstance(one, dict) for one in listed):
        raise TemplateFailed("its output is no list of segments; write - {type: text, data: {text: …}}")
    return list(listed)
