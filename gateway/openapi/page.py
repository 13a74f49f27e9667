"""`/docs`: the document as a page of plain HTML, complete without scripts, fonts or anything from elsewhere."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import Any

from gateway.openapi.curl import curl_line
from gateway.openapi.wording import fields_of, kind_of, resolved, with_default

_STYLE = (files("gateway.openapi") / "docs.css").read_text("utf-8")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of the page: its own style, and nothing else."""

Document = dict[str, Any]


def docs_page(document: Document) -> str:
    """Return DOCUMENT as HTML: every operation with its parameters, fields, examples, answers and errors."""
    operations = _operations(document)
    variants: dict[str, list[str]] = {}
    for method, path, operation in operations:
        if first := operation.get("x-variant-of"):
            variants.setdefault(first, []).append(f"{method.upper()} {path}")
    told = [entry for entry in operations if "x-variant-of" not in entry[2]]
    info = document["info"]
    parts = "".join(
        f'<section aria-labelledby="tag-{_id(tag["name"])}"><h2 id="tag-{_id(tag["name"])}">{escape(tag["name"])}</h2>'
        f"<p>{_prose(tag['description'])}</p>"
        + "".join(_operation(document, *entry, variants) for entry in told if entry[2]["tags"] == [tag["name"]])
        + "</section>"
        for tag in document["tags"]
    )
    schemas = "".join(_schema(document, name) for name in document["components"]["schemas"])
    about = "".join(f"<p>{_prose(words)}</p>" for words in info["description"].split("\n\n"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}: HTTP</title><style>{_STYLE}</style></head><body>"
        f'<a class="skip" href="#top">Skip to the content</a><div class="page">{_contents(document, told)}'
        f'<main id="top"><h1>{escape(info["title"])}</h1>'
        f'<p class="quiet">Version {escape(info["version"])}, as <a href="/openapi.json">OpenAPI 3.1</a> '
        f"for programs</p>{about}{_keys(document)}{parts}"
        f'<section><h2 id="schemas">Shapes</h2><p>What the fields above are made of.</p>{schemas}</section>'
        "</main></div></body></html>\n"
    )


def _operations(document: Document) -> list[tuple[str, str, Any]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _contents(document: Document, operations: Iterable[tuple[str, str, Any]]) -> str:
    groups = ""
    for tag in document["tags"]:
        links = "".join(
            f'<li><a href="#{_id(operation["operationId"])}">{escape(operation["summary"])}</a></li>'
            for _, _, operation in operations
            if operation["tags"] == [tag["name"]]
        )
        groups += f'<a class="part" href="#tag-{_id(tag["name"])}">{escape(tag["name"])}</a><ul>{links}</ul>'
    return (
        f'<nav aria-label="Contents"><details open><summary>Contents</summary>{groups}'
        '<a class="part" href="#schemas">Shapes</a></details></nav>'
    )


def _keys(document: Document) -> str:
    schemes = document["components"]["securitySchemes"].values()
    told = "".join(f"<li>{_prose(scheme['description'])}</li>" for scheme in schemes)
    return f"<h4>Keys</h4><ul>{told}</ul>"


def _operation(document: Document, method: str, path: str, operation: Any, variants: dict[str, list[str]]) -> str:
    name = operation["operationId"]
    also = "".join(f"<li><code>{escape(line)}</code></li>" for line in variants.get(name, ()))
    scopes = sorted({scope for scheme in operation["security"] for scopes in scheme.values() for scope in scopes})
    key = f"needs a key with scope <code>{', '.join(scopes)}</code>, where keys are configured" if scopes else "no key"
    return (
        f'<article class="operation" id="{_id(name)}"><h3>{escape(operation["summary"])}</h3>'
        f'<p class="line"><span class="method {method}">{method}</span> <code>{escape(path)}</code> '
        f'<span class="quiet small">{key}</span></p>'
        + (f"<p>{_prose(operation['description'])}</p>" if "description" in operation else "")
        + (f"<details><summary>Other ways to call it</summary><ul>{also}</ul></details>" if also else "")
        + _parameters(document, operation)
        + _body(document, operation)
        + f"<h4>Call it</h4>{_calls(method, path, operation)}"
        + f"<h4>Answers</h4>{_answers(document, operation)}</article>"
    )


def _parameters(document: Document, operation: Any) -> str:
    rows = [
        (
            f"<code>{escape(given['name'])}</code>",
            ("required, " if given["required"] else "") + f"in the {given['in']}: {kind_of(document, given['schema'])}",
            _prose(with_default(given["description"], given["schema"])),
        )
        for given in operation.get("parameters", ())
    ]
    return f"<h4>Parameters</h4>{_table(('name', 'what it is', 'meaning'), rows)}" if rows else ""


def _body(document: Document, operation: Any) -> str:
    if "requestBody" not in operation:
        return ""
    body = operation["requestBody"]
    (kind, content), *others = body["content"].items()
    types = " or ".join(f"<code>{escape(name)}</code>" for name in (kind, *(name for name, _ in others)))
    need = "required" if body["required"] else "may be left out"
    words = f" {_prose(body['description'])}" if "description" in body else ""
    return f"<h4>Body</h4><p>{types}, {need}.{words}</p>{_fields(document, content['schema'])}"


def _fields(document: Document, schema: Any) -> str:
    words = resolved(document, schema).get("description", "")
    rows = [
        (
            f"<code>{escape(field.name)}</code>"
            + (' <span class="quiet small">required</span>' if field.required else ""),
            field.kind,
            _prose(field.meaning),
        )
        for field in fields_of(document, schema)
    ]
    told = f"<p>{_prose(words)}</p>" if words else ""
    if rows:
        return told + _table(("field", "what it is", "meaning"), rows)
    return told or f"<p>{kind_of(document, schema)}</p>"


def _calls(method: str, path: str, operation: Any) -> str:
    body: Any = next(iter(operation.get("requestBody", {}).get("content", {}).values()), {})
    examples = {name: entry["value"] for name, entry in body.get("examples", {}).items()} or {"": None}
    lines = (curl_line(method, path, operation, value) for value in examples.values())
    return "".join(f'<pre tabindex="0"><code>{escape(line)}</code></pre>' for line in lines)


def _answers(document: Document, operation: Any) -> str:
    told, problems = "", []
    for status, given in operation["responses"].items():
        answer = resolved(document, given)
        for media, content in answer.get("content", {"": {}}).items():
            if media == "application/problem+json":
                problems += [(status, resolved(document, example)["value"]) for example in content["examples"].values()]
                continue
            told += _answer(document, status, answer, media, content)
    rows = [
        (
            f'<span class="status">{status}</span> <code>{escape(value["code"])}</code>',
            escape(value["detail"])
            + "".join(
                f'<span class="small quiet"><code>{escape(fault["loc"])}</code>: {escape(fault["msg"])}</span>'
                for fault in value.get("errors", ())
            ),
        )
        for status, value in problems
    ]
    if rows:
        told += (
            '<details class="answer"><summary>Errors, as <a href="#schema-Problem">problem+json</a></summary>'
            f"{_table(('status and code', 'such as'), rows)}</details>"
        )
    return told


def _answer(document: Document, status: str, answer: Any, media: str, content: Any) -> str:
    headers = ", ".join(f"<code>{escape(name)}</code>" for name in answer.get("headers", {}))
    schema = content.get("schema", {})
    of = f", a {kind_of(document, schema)}" if "$ref" in schema else ""
    example = (
        f'<pre tabindex="0"><code>{escape(_json(content["example"]))}</code></pre>' if "example" in content else ""
    )
    inner = (
        (f"<p><code>{escape(media)}</code>{of}</p>" if media else "")
        + (f"<p>With the headers {headers}.</p>" if headers else "")
        + example
    )
    title = f'<span class="status">{status}</span> {_prose(answer["description"])}'
    if not inner:
        return f"<p>{title}</p>"
    opened = " open" if status.startswith("2") else ""
    return f'<details class="answer"{opened}><summary>{title}</summary>{inner}</details>'


def _schema(document: Document, name: str) -> str:
    schema = document["components"]["schemas"][name]
    return (
        f'<article class="schema" id="schema-{_id(name)}"><h3>{escape(name)}</h3>{_fields(document, schema)}</article>'
    )


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _prose(words: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words, quote=False))


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 80 else json.dumps(value, ensure_ascii=False, indent=2)


def _id(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name)
