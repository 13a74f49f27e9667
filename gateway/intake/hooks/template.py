"""Templates that turn the data of others into a message: they see nothing else, and end in time."""

import json
import re
import secrets
import time
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import jinja2
import yaml
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, pass_context

from gateway.intake.hooks.sandbox import ENDS_AT, LONGEST, SECONDS, Sandbox, TemplateFailed, size_of
from gateway.model.errors import Refused

Segments = list[dict[str, Any]]

_LEFT_OUT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ue000\ue001\u202a-\u202e\u2066-\u2069]")
"""What QQ cannot carry, the marks of segments, and what turns the direction of all that follows."""


_ERRORS = (
    TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, AssertionError, RuntimeError,
    MemoryError,
)  # fmt: skip
"""What a template may run into, beside what is wrong with it."""


class Template:
    """One compiled template. Its output is text, or (`segments`) a YAML or JSON list of segments.

    In a text, `at(qq)`, `face(id)` and `image(url)` put segments between the words; no payload can. In a list
    a `{{ value }}` is put in its place after the list was read, whatever stands around it, so that no value can become
    structure. Python attributes, files and the network are out of reach; loops end within a second, and so do their
    outputs at 64 Ki characters.
    """

    def __init__(self, text: str, *, segments: bool) -> None:
        """Compile TEXT; raises Refused when it is no template."""
        self._segments = segments
        self._template = _compile(text, segments)

    def render(self, values: Mapping[str, Any]) -> Segments:
        """Return the segments made of VALUES, none when there is nothing to say; raises TemplateFailed."""
        rendering = _Rendering()

        def put(kind: str, **data: str) -> str:
            return rendering.mark(_Segment(type=kind, data=data))

        def image(url: Any) -> str:
            return put("image", file=url) if isinstance(url, str) and re.match(r"https?://", url) else ""

        given = {
            **_unmarked(values),
            "at": lambda qq: put("at", qq=str(qq)),
            "face": lambda face: put("face", id=str(face)),
            "image": image,
        }
        token, ends_at = _RENDERING.set(rendering), ENDS_AT.set(time.monotonic() + SECONDS)
        try:
            output = self._output(given)
            return rendering.listed(output) if self._segments else rendering.told(output)
        except TemplateFailed:
            raise
        except _ERRORS as error:
            raise TemplateFailed(f"{type(error).__name__}: {str(error)[:300]}") from None
        finally:
            _RENDERING.reset(token)
            ENDS_AT.reset(ends_at)

    def _output(self, given: Mapping[str, Any]) -> str:
        pieces, length = [], 0
        for piece in self._template.generate(given):
            Sandbox.look()
            pieces.append(piece)
            length += len(piece)
            if length > LONGEST:
                raise TemplateFailed(f"its output has more than {LONGEST} characters; cut what is long")
        return "".join(pieces)


@lru_cache(maxsize=64)
def _compile(text: str, segments: bool) -> jinja2.Template:
    """Compile TEXT, once for all hooks of a preset and all reloads."""
    environment = Sandbox(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        finalize=_as_mark if segments else _as_text,
    )
    try:
        return environment.from_string(text)
    except TemplateSyntaxError as error:
        raise Refused("template_invalid", f"line {error.lineno}: {error.message}") from None
    except (TemplateError, TemplateFailed) as error:
        raise Refused("template_invalid", str(error)) from None
    except RecursionError:
        raise Refused("template_invalid", "it is nested too deeply") from None


class _Segment(dict[str, Any]):
    """A segment that the template itself put in."""


class _Rendering:
    """One rendering: what its marks stand for."""

    def __init__(self) -> None:
        self._placed: list[Any] = []
        self._left = 4 * LONGEST
        # New for each rendering, so that no payload can write a mark.
        self._nonce = secrets.token_hex(8)
        self._mark = re.compile(f"\ue000{self._nonce}:([0-9]+)\ue001")

    def mark(self, value: Any) -> str:
        """Return what stands for VALUE in the output."""
        self._placed.append(value)
        return f"\ue000{self._nonce}:{len(self._placed) - 1}\ue001"

    def told(self, output: str) -> Segments:
        """Return OUTPUT as text, cut where segments were placed in it; white space at its ends says nothing."""
        text = re.sub(r"\n{3,}", "\n\n", re.sub(r"(?<![ \t])[ \t]+\n", "\n", output)).strip()
        segments: Segments = []
        for position, piece in enumerate(self._mark.split(text)):
            if position % 2:
                segments.append(self._placed[int(piece)])
            elif words := _LEFT_OUT.sub("", piece):
                segments.append({"type": "text", "data": {"text": words}})
        return segments

    def listed(self, output: str) -> Segments:
        """Return the list of segments that OUTPUT writes, with the values in the places of their marks."""
        try:
            listed = self._resolved(yaml.safe_load(output))
        except yaml.YAMLError as error:
            raise TemplateFailed(f"its output is no YAML: {' '.join(str(error).split())[:200]}") from None
        if listed is None:
            return []
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise TemplateFailed("its output is no list of segments; write - {type: text, data: {text: …}}")
        return listed

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, str):
            if not (whole := self._mark.fullmatch(value)):
                return _LEFT_OUT.sub("", self._mark.sub(self._spelled, value))
            # Text, a number, yes or no: what a payload has in it is no structure of the message.
            simple = isinstance(behind := self._behind(whole), str | int | float | _Segment) or behind is None
            return behind if simple else json.dumps(behind, ensure_ascii=False, default=str)
        if isinstance(value, dict):
            return {self._spelled(name): self._resolved(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._resolved(inner) for inner in value]
        return value

    def _behind(self, mark: re.Match[str]) -> Any:
        value = self._placed[int(mark[1])]
        if isinstance(value, str):  # may have marks of its own, as what a macro returns; they stand for what was before
            value = self._resolved(value)
        self._left -= size_of(value)
        if self._left < 0:
            raise TemplateFailed(f"its output has more than {4 * LONGEST} characters; cut what is long")
        return value

    def _spelled(self, mark: Any) -> str:
        value = self._behind(mark) if isinstance(mark, re.Match) else self._resolved(mark)
        if isinstance(value, str):
            return value
        return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


_RENDERING: ContextVar[_Rendering] = ContextVar("rendering")


def _as_text(value: Any) -> Any:
    if not isinstance(value, str | Undefined):
        size_of(value)
    return "" if value is None else value


@pass_context  # keeps Jinja2 from doing it while it compiles
def _as_mark(_context: Any, value: Any) -> str:
    if isinstance(value, Undefined):
        str(value)  # raises
    return _RENDERING.get().mark(value)


def _unmarked(value: Any) -> Any:
    """Return VALUE without the marks between which a text names its segments, and without what QQ cannot carry."""
    if isinstance(value, str):
        return _LEFT_OUT.sub("", value)
    if isinstance(value, Mapping):
        return {_unmarked(key): _unmarked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_unmarked(inner) for inner in value]
    return value
