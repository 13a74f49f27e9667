"""Whether a webhook comes from whom it says: each product signs in its own way, pure."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from gateway.intake.hooks.delivery import Delivery, field_of

Kind = Literal["hmac", "token", "basic", "standard", "query", "path", "grafana", "none"]


class Proof(BaseModel):
    """How a sender proves who it is.

    hmac      hex HMAC-SHA256 of the body, after `prefix`, in one of `headers`; of a form that of its field `signed`
    token     the secret itself in one of `headers`; `authorization` also takes `Bearer <secret>`
    basic     `Authorization: Basic`, with the secret as `user:password`
    standard  Standard Webhooks: id, timestamp and signature; a time window of five minutes
    grafana   hex HMAC-SHA256 of `<timestamp>:<body>` where a header that fits the glob `timestamp` is sent, else of
              the body; unsigned, the secret itself as in `basic` and `token`
    query     the secret as one of the parameters `fields`
    path      the secret as the first segment of the path behind the hook's, or as one of `fields` of body or query
    none      nobody proves anything: whoever reaches the path may send
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    headers: tuple[str, ...] = ()
    prefix: str = ""
    fields: tuple[str, ...] = ()
    signed: str = ""
    timestamp: str = ""
    suffix: Annotated[str, Field(description="of a path's first segment, which is no part of the secret")] = ""


def refusal(
    proof: Proof, secrets: Sequence[str], delivery: Delivery, payload: Mapping[str, object], now: float
) -> str | None:
    """Return why DELIVERY is not genuine, in words for its sender; None when it is. NOW in epoch seconds."""
    return _CHECKS[proof.kind](proof, secrets, delivery, payload, now)


def _hmac(
    proof: Proof, secrets: Sequence[str], delivery: Delivery, _payload: Mapping[str, object], _now: float
) -> str | None:
    given = _header(proof, delivery)
    if not given:
        return f"the signature is missing: send {' or '.join(proof.headers)}; set the same secret on both sides"
    digest = given.removeprefix(proof.prefix) if given.startswith(proof.prefix) else ""
    return _signed_by_one(secrets, field_of(delivery, proof.signed), digest)


def _grafana(
    proof: Proof, secrets: Sequence[str], delivery: Delivery, _payload: Mapping[str, object], now: float
) -> str | None:
    given = _header(proof, delivery)
    if not given:
        # Signing is an option, and older ones do not know it; they send the secret itself, after any scheme.
        if _basic(proof, secrets, delivery, _payload, now) is None:
            return None
        bare = _token(proof.model_copy(update={"headers": ("authorization",)}), secrets, delivery, _payload, now)
        return bare and f"{bare}, or sign with it ({proof.headers[0]})"
    # Who sets up the signature names this header, or none; what others add on the way may look like it.
    stamps = [text for name, text in delivery.headers.items() if fnmatchcase(name, proof.timestamp)][:_MOST_STAMPS]
    if (reason := _signed_by_one(secrets, delivery.body, given)) is None:
        return None
    for stamp in stamps:
        if _signed_by_one(secrets, f"{stamp}:".encode("utf-8", "surrogateescape") + delivery.body, given) is None:
            if re.fullmatch("[0-9]{1,15}", stamp) and abs(now - int(stamp)) <= _WINDOW_S:
                return None
            return "the timestamp is more than five minutes off; is this an old message, or a clock wrong?"
    return reason


def _signed_by_one(secrets: Sequence[str], signed: bytes, given: str) -> str | None:
    digests = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    lower = given.strip().lower().encode("utf-8", "replace")  # a header may have bytes that are no UTF-8
    # Each is compared, so that the time taken tells nothing.
    good = [hmac.compare_digest(digest.encode(), lower) for digest in digests]
    return (
        None if any(good) else "the signature is none of this body with our secret; set the same secret on both sides"
    )


def _token(
    proof: Proof, secrets: Sequence[str], delivery: Delivery, _payload: Mapping[str, object], _now: float
) -> str | None:
    given = [delivery.headers[name] for name in proof.headers if name in delivery.headers]
    given += [bearer for text in given if (bearer := text.partition(" ")[2].strip())]
    return _is_one(secrets, given, f"send the secret as header {' or '.join(proof.headers)}")


def _basic(
    _proof: Proof, secrets: Sequence[str], delivery: Delivery, _payload: Mapping[str, object], _now: float
) -> str | None:
    scheme, _, coded = delivery.headers.get("authorization", "").partition(" ")
    given = []
    if scheme.lower() == "basic":
        try:
            given = [base64.b64decode(coded.strip(), validate=True).decode()]
        except (binascii.Error, ValueError):
            given = []
    elif scheme.lower() == "bearer":
        given = [coded.strip()]
    return _is_one(secrets, given, "send user and password (Basic), or the secret as Bearer token")


def _standard(
    _proof: Proof, secrets: Sequence[str], delivery: Delivery, _payload: Mapping[str, object], now: float
) -> str | None:
    # Svix, who began it, sends the same under its own name: https://docs.svix.com/receiving/verifying-payloads/how-manual
    brand = "svix" if "svix-id" in delivery.headers else "webhook"
    name, sent, given = (delivery.headers.get(f"{brand}-{part}", "") for part in ("id", "timestamp", "signature"))
    if not (name and sent and given):
        return "webhook-id, webhook-timestamp and webhook-signature have to be sent"
    if not (sent.isascii() and sent.isdigit() and len(sent) <= _LONGEST_TIME and abs(now - int(sent)) <= _WINDOW_S):
        return "the timestamp is more than five minutes off; is this an old message, or a clock wrong?"
    try:
        body = delivery.body.decode()
    except UnicodeDecodeError:
        return "the body is no UTF-8"
    at = datetime.fromtimestamp(int(sent), UTC)
    signatures = [Webhook(secret).sign(name, at, body).encode() for secret in secrets]
    good = [
        hmac.compare_digest(signature, one.encode("utf-8", "replace"))
        for signature in signatures
        for one in given.split()
    ]
    return None if any(good) else "webhook-signature is none of this body with our secret"


def signs(secret: str) -> bool:
    """Return whether SECRET is one of Standard Webhooks: base64, with or without `whsec_`."""
    try:
        Webhook(secret)
    except (ValueError, EmptyWebhookSecretError):
        return False
    return True


def _query(
    proof: Proof, secrets: Sequence[str], delivery: Delivery, _payload: Mapping[str, object], _now: float
) -> str | None:
    given = [delivery.query[name] for name in proof.fields if name in delivery.query]
    return _is_one(secrets, given, f"add ?{proof.fields[0]}=<secret> to the URL")


def _path(
    proof: Proof, secrets: Sequence[str], delivery: Delivery, payload: Mapping[str, object], _now: float
) -> str | None:
    given = [delivery.segments[0].removesuffix(proof.suffix)] if delivery.segments else []
    for name in proof.fields:
        given += [text for text in (delivery.query.get(name), payload.get(name)) if isinstance(text, str)]
    return _is_one(secrets, given, f"put the secret into the path: …/<secret>{proof.suffix}")


def _nobody(
    _proof: Proof, _secrets: Sequence[str], _delivery: Delivery, _payload: Mapping[str, object], _now: float
) -> str | None:
    return None


def _is_one(secrets: Sequence[str], given: Sequence[str], remedy: str) -> str | None:
    """Return REMEDY unless one of those GIVEN is a secret; each pair is compared, so that time tells nothing."""
    good = [
        hmac.compare_digest(secret.encode(), text.encode("utf-8", "replace")) for secret in secrets for text in given
    ]
    return None if any(good) else remedy


def _header(proof: Proof, delivery: Delivery) -> str:
    return next((delivery.headers[name] for name in proof.headers if delivery.headers.get(name)), "")


_Check = Callable[[Proof, Sequence[str], Delivery, Mapping[str, object], float], str | None]
_CHECKS: dict[Kind, _Check] = {
    "hmac": _hmac,
    "token": _token,
    "basic": _basic,
    "standard": _standard,
    "grafana": _grafana,
    "query": _query,
    "path": _path,
    "none": _nobody,
}
_WINDOW_S = 300.0
_MOST_STAMPS = 4
_LONGEST_TIME = 11  # digits of seconds
