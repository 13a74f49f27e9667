"""What a OneBot client asks for, to a job: pure, for JSON, forms and queries alike."""

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from gateway.convert import parse_document
from gateway.model.errors import Fault, Refused
from gateway.model.job import Job
from gateway.model.wording import kind_of, shown

Fields = dict[str, Any]

_MOST_FIELDS = 100
_TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}
_HANDLED = frozenset({"group_id", "user_id", "message", "format", "echo", "temp_session"})
_EXTRAS = frozenset(Job.model_fields) - _HANDLED
"""Fields that mean the same here as in any job: the forward card's, and the gateway's own."""
_ONEBOT = frozenset({"message_type", "auto_escape", "access_token", "timeout", "self_id", "discuss_id", "sub_type"})
"""Fields of OneBot and its implementations that are read here, or ignored as NapCat or another one would."""
_KNOWN = _EXTRAS | _HANDLED | _ONEBOT
_WRITER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|//[^\r\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_COMMA = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|,(?=\s*+[}\]])', re.DOTALL)


def read_json(raw: bytes) -> Fields:
    """Return the fields of a JSON body; comments and a comma after the last one are allowed, as NapCat allows them.

    Raises `Refused("json_invalid")`.
    """
    try:
        return parse_document(raw)
    except Refused as refusal:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise refusal from None
    plain = _TOKEN.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)
    return parse_document(_COMMA.sub(lambda found: found[0] if found[0].startswith('"') else "", plain))


def read_form(raw: bytes) -> Fields:
    """Return the fields of a form body; raises `Refused("json_invalid")` for what is none."""
    try:
        text = raw.decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"))
    except ValueError:
        reason = f"the form is not UTF-8, or has more than {_MOST_FIELDS} fields"
        raise Refused("json_invalid", reason, (Fault("document", reason, "json_invalid"),)) from None


def job_of(action: str, fields: Mapping[str, Any], account: str | None) -> bytes:
    """Return the job that a call of `send_msg`, `send_group_msg` or `send_private_msg` asks for, as JSON.

    ACCOUNT is the one named in the path. Raises `Refused("onebot_invalid")` naming every field that is wrong; what is
    wrong with the fields of the job itself is told when it is admitted.
    """
    if len(fields) > _MOST_FIELDS:
        raise Refused("onebot_invalid", f"{action} takes no {len(fields)} fields; leave out what it does not know")
    given = {name: value for name, value in fields.items() if value is not None}
    faults: list[Fault] = []
    job = _addressed(action, given, faults)
    job["format"] = _format(given, faults)
    if "message" in given:
        job["message"] = given["message"]
    for name, value in given.items():
        if name in _EXTRAS:
            job[name] = _unquoted(name, value, faults)
    if account is not None and job.setdefault("account", account) != account:
        faults.append(Fault("account", "the path names another account; leave it out", "account_conflict"))
    faults += _misspelt(given)
    if faults:
        raise Refused("onebot_invalid", f"{action} cannot be done", faults)
    return _WRITER.encode(job).encode("utf-8", "surrogatepass")


def _addressed(action: str, given: Fields, faults: list[Fault]) -> Fields:
    """Return whom the job is for, by the same precedence as NapCat's (SendMsg.ts).

    A private message that names a group too is a temporary session through it, as in go-cqhttp.
    """
    group, user = (None if given.get(name) in (0, "", "0") else given.get(name) for name in ("group_id", "user_id"))
    kind = {"send_group_msg": "group", "send_private_msg": "private"}.get(action, given.get("message_type"))
    if kind in (None, ""):
        kind = "private" if group is None and user is not None else "group"
    if kind not in ("group", "private"):
        faults.append(Fault("message_type", "write group or private, or leave it out", "message_type"))
        return {}
    needed, value = ("group_id", group) if kind == "group" else ("user_id", user)
    if value is None:
        both = action == "send_msg" and not given.get("message_type")
        advice = "give group_id (a group) or user_id (a person)" if both else "is required"
        faults.append(Fault(needed, advice, "missing"))
        return {}
    if kind == "private" and group is not None:
        return {"user_id": user, "group_id": group, "temp_session": True}
    return {needed: value}


def _format(given: Fields, faults: list[Fault]) -> Any:
    """Return how strings are read: as CQ codes, as OneBot says, unless they are to be escaped."""
    if "auto_escape" not in given:
        return given.get("format", "cq")
    escape = given["auto_escape"]
    truth = _TRUTH.get(str(escape).lower()) if isinstance(escape, bool | int | str) else None
    if truth is None:
        faults.append(Fault("auto_escape", f"write true or false; this is {kind_of(escape)}", "auto_escape"))
    return "text" if truth else "cq"


def _unquoted(name: str, value: Any, faults: list[Fault]) -> Any:
    """Return a value that a form or a query can only spell as text."""
    if not isinstance(value, str):
        return value
    if name in ("delay", "ttl") and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", value):
        return float(value)
    if name in ("metadata", "news"):
        try:
            return parse_document(f'{{"{name}":{value}}}')[name]
        except (Refused, KeyError):
            faults.append(Fault(name, "write it as JSON", "json_invalid"))
    return value


def _misspelt(given: Fields) -> list[Fault]:
    """Find fields that are nearly ours: ignoring them, as all other unknown fields, would break what was asked for."""
    unknown = sorted(given.keys() - _KNOWN)[:_MOST_FIELDS]
    known = sorted(_KNOWN) if unknown else []
    near = {name: difflib.get_close_matches(name[:40], known, n=1, cutoff=0.8) for name in unknown}
    return [
        Fault(shown(name), f"unknown field; did you mean {meant[0]}?", "unknown_field")
        for name, meant in near.items()
        if meant
    ]
