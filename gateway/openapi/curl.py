"""An operation as the curl line that calls it, for people to copy."""

import json
import shlex
from typing import Any
from urllib.parse import quote

_ENOUGH = 2
_HERE = "http://127.0.0.1:8080"


def curl_line(method: str, path: str, operation: Any, body: Any) -> str:
    """Return the command that calls OPERATION with the examples of its parameters, and with BODY as JSON (None: none).

    Of the parameters in a query it shows the first two, and none where the call does something.
    """
    query: list[str] = []
    options = []
    for given in operation.get("parameters", ()):
        example = given.get("example")
        if example is None:
            continue
        if given["in"] == "path":
            path = path.replace(f"{{{given['name']}}}", quote(str(example), safe=":"))
        elif given["in"] == "header" and given["required"]:
            header = f"{given['name']}: {example}"
            options.append(f"-H {shlex.quote(header)}")
        elif given["in"] == "query" and method == "get" and len(query) < _ENOUGH:
            query.append(f"{given['name']}={_spelled(example)}")
    address = _HERE + path + (f"?{'&'.join(query)}" if query else "")
    verb = "" if method == "get" or (method == "post" and body is not None) else f" -X {method.upper()}"
    lines = [f"curl -sS{verb} {shlex.quote(address)}", *options]
    if operation["security"]:
        lines.append("-H 'Authorization: Bearer gw_…'")
    if body is not None:
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d {_quoted(json.dumps(body, ensure_ascii=False))}")
    return " \\\n  ".join(lines)


def _spelled(example: Any) -> str:
    return quote(",".join(example) if isinstance(example, list) else str(example), safe=":,")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
