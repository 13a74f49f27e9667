"""As much of PromQL as is needed to tell what a query asks for: metrics, labels, and functions around them."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<time>\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*)
    | (?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)
    | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    | (?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){}\[\],@])
    )""",
    re.VERBOSE,
)
_LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "bool", "offset"}
_AGGREGATIONS = {"sum", "min", "max", "avg", "count", "topk", "bottomk", "group", "quantile"}


class Token(NamedTuple):
    kind: str
    text: str


@dataclass
class Selector:
    """One metric as a query asks for it.

    labels   that are matched
    ranged   whether a range of it is asked for
    within   the functions and aggregations around it, the innermost first
    """

    metric: str
    labels: list[str]
    ranged: bool
    within: list[str]


@dataclass
class Query:
    """What a query asks for; `grouped` are the labels by which something is added up or joined."""

    selectors: list[Selector]
    grouped: set[str]


def parse(query: str) -> Query:
    """Return what QUERY asks for; raises ValueError for what is no PromQL, as far as that is noticed."""
    tokens, found, around = _tokens(query), Query([], set()), [""]
    at = 0
    while at < len(tokens):
        kind, text = tokens[at]
        after = tokens[at + 1].text if at + 1 < len(tokens) else ""
        if kind == "name" and text in _LISTS and after == "(":
            end = _closing(tokens, at + 1)
            found.grouped |= {token.text for token in tokens[at + 2 : end] if token.kind == "name"}
            at = end
        elif kind == "name" and text in _AGGREGATIONS:
            around.append(f"?{text}")  # its parenthesis may come after a list of labels
        elif kind == "name" and text in _WORDS | _LISTS:
            pass
        elif kind == "name" and after == "(":
            around.append(f"?{text}")
        elif kind == "name":
            selector, at = _selector(tokens, at)
            selector.within = [name for name in reversed(around) if name and not name.startswith("?")]
            found.selectors.append(selector)
        elif text == "(":
            around[-1:] = [around[-1][1:]] if around[-1].startswith("?") else [around[-1], ""]
        elif text == ")":
            if len(around) == 1:
                raise ValueError(f"one parenthesis too many: {query}")
            around.pop()
        at += 1
    if len(around) > 1:
        raise ValueError(f"a parenthesis stays open: {query}")
    return found


def _selector(tokens: list[Token], at: int) -> tuple[Selector, int]:
    """Return the selector that begins AT, and where it ends."""
    selector = Selector(tokens[at].text, [], ranged=False, within=[])
    for opening in "{[":
        if at + 1 < len(tokens) and tokens[at + 1].text == opening:
            end = _closing(tokens, at + 1)
            inner = tokens[at + 2 : end]
            if opening == "{":
                signs = {"=", "=~", "!=", "!~"}
                pairs = [(one.text, two.text) for one, two in pairwise(inner)]
                selector.labels = [name for name, sign in pairs if sign in signs]
            else:
                selector.ranged = True
            at = end
    return selector, at


def _closing(tokens: list[Token], at: int) -> int:
    opening = tokens[at].text
    closing = {"(": ")", "{": "}", "[": "]"}[opening]
    for end in range(at + 1, len(tokens)):
        if tokens[end].text == closing:
            return end
    raise ValueError(f"{opening} is not closed")


def _tokens(query: str) -> list[Token]:
    tokens, at = [], 0
    query = query.rstrip()
    while at < len(query):
        match = _TOKEN.match(query, at)
        if match is None or match.lastgroup is None:
            raise ValueError(f"this is no PromQL: {query[at:]!r}")
        tokens.append(Token(match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens
