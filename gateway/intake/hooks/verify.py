"""Whether a webhook comes from whom it says: each product signs in its own way, pure."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from gateway.intake.hooks.delivery import Delivery, field_of

Kind = Literal["hmac", "token", "basic", "standard", "query", "path", "grafana", "none"]

_WINDOW_S = 300.0
_OFF = "the timestamp is more than five minutes off; is this an old message, or a clock wrong?"
_MOST_STAMPS = 4
_LONGEST_TIME = 11  # digits of seconds


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


class _Claim(NamedTuple):
    """What has to be proved: that DELIVERY, with PAYLOAD in it, comes from who knows one of SECRETS; NOW in seconds."""

    proof: Proof
    secrets: Sequence[str]
    delivery: Delivery
    payload: Mapping[str, object]
    now: float

    @property
    def header(self) -> str:
        """Return the first of the proof's headers that says something; empty when none does."""
        given = (self.delivery.headers.get(name, "") for name in self.proof.headers)
        return next(filter(None, given), "")


def refusal(
    proof: Proof, secrets: Sequence[str], delivery: Delivery, payload: Mapping[str, object], now: float
) -> str | None:
    """Return why DELIVERY is not genuine, in words for its sender; None when it is. NOW in epoch seconds."""
    return _CHECKS[proof.kind](_Claim(proof, secrets, delivery, payload, now))


def signs(secret: str) -> bool:
    """Return whether SECRET is one of Standard Webhooks: base64, with or without `whsec_`."""
    try:
        Webhook(secret)
    except (ValueError, EmptyWebhookSecretError):
        return False
    return True


def _hmac(claim: _Claim) -> str | None:
    proof, given = claim.proof, claim.header
    if not given:
        return f"the signature is missing: send {' or '.join(proof.headers)}; set the same secret on both sides"
    digest = given.removeprefix(proof.prefix) if given.startswith(proof.prefix) else ""
    return _signed_by_one(claim.secrets, field_of(claim.delivery, proof.signed), digest)


def _grafana(claim: _Claim) -> str | None:
    proof, secrets, delivery, _, now = claim
    given = claim.header
    if not given:
        # Signing is an option, and older ones do not know it; they send the secret itself, after any scheme.
        if _basic(claim) is None:
            return None
        bare = _token(claim._replace(proof=Proof(kind="token", headers=("authorization",))))
        return bare and f"{bare}, or sign with it ({proof.headers[0]})"
    # Who sets up the signature names this header, or none; what others add on the way may look like it.
    stamps = [text for name, text in delivery.headers.items() if fnmatchcase(name, proof.timestamp)][:_MOST_STAMPS]
    if (reason := _signed_by_one(secrets, delivery.body, given)) is None:
        return None
    for stamp in stamps:
        if _signed_by_one(secrets, f"{stamp}:".encode("utf-8", "surrogateescape") + delivery.body, given) is None:
            fresh = re.fullmatch("[0-9]{1,15}", stamp) and abs(now - int(stamp)) <= _WINDOW_S
            return None if fresh else _OFF
    return reason


def _token(claim: _Claim) -> str | None:
    names, headers = claim.proof.headers, claim.delivery.headers
    given = [headers[name] for name in names if name in headers]
    given += [bearer for text in given if (bearer := text.partition(" ")[2].strip())]
    return _is_one(claim.secrets, given, f"send the secret as header {' or '.join(names)}")


def _basic(claim: _Claim) -> str | None:
    scheme, _, coded = claim.delivery.headers.get("authorization", "").partition(" ")
    given = []
    if scheme.lower() == "basic":
        with suppress(binascii.Error, ValueError):
            given = [base64.b64decode(coded.strip(), validate=True).decode()]
    elif scheme.lower() == "bearer":
        given = [coded.strip()]
    return _is_one(claim.secrets, given, "send user and password (Basic), or the secret as Bearer token")


def _standard(claim: _Claim) -> str | None:
    # Svix, who began it, sends the same under its own name: https://docs.svix.com/receiving/verifying-payloads/how-manual
    headers = claim.delivery.headers
    brand = "svix" if "svix-id" in headers else "webhook"
    name, sent, given = (headers.get(f"{brand}-{part}", "") for part in ("id", "timestamp", "signature"))
    if not (name and sent and given):
        return "webhook-id, webhook-timestamp and webhook-signature have to be sent"
    is_time = sent.isascii() and sent.isdigit() and len(sent) <= _LONGEST_TIME
    if not (is_time and abs(claim.now - int(sent)) <= _WINDOW_S):
        return _OFF
    try:
        body = claim.delivery.body.decode()
    except UnicodeDecodeError:
        return "the body is no UTF-8"
    at = datetime.fromtimestamp(int(sent), UTC)
    signatures = [Webhook(secret).sign(name, at, body) for secret in claim.secrets]
    return _is_one(signatures, given.split(), "webhook-signature is none of this body with our secret")


def _query(claim: _Claim) -> str | None:
    names, query = claim.proof.fields, claim.delivery.query
    given = [query[name] for name in names if name in query]
    return _is_one(claim.secrets, given, f"add ?{names[0]}=<secret> to the URL")


def _path(claim: _Claim) -> str | None:
    proof, delivery = claim.proof, claim.delivery
    given = [delivery.segments[0].removesuffix(proof.suffix)] if delivery.segments else []
    for name in proof.fields:
        given += [text for text in (delivery.query.get(name), claim.payload.get(name)) if isinstance(text, str)]
    return _is_one(claim.secrets, given, f"put the secret into the path: …/<secret>{proof.suffix}")


def _nobody(_claim: _Claim) -> str | None:
    return None


def _signed_by_one(secrets: Sequence[str], signed: bytes, given: str) -> str | None:
    digests = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    remedy = "the signature is none of this body with our secret; set the same secret on both sides"
    return _is_one(digests, [given.strip().lower()], remedy)


def _is_one(known: Sequence[str], given: Sequence[str], remedy: str) -> str | None:
    """Return REMEDY unless one of those GIVEN is KNOWN; each pair is compared, so that the time taken tells nothing."""
    good = [
        # A header may have bytes that are no UTF-8.
        hmac.compare_digest(one.encode(), text.encode("utf-8", "replace"))
        for one in known
        for text in given
    ]
    return None if any(good) else remedy


_CHECKS: dict[Kind, Callable[[_Claim], str | None]] = {
    "hmac": _hmac,
    "token": _token,
    "basic": _basic,
    "standard": _standard,
    "grafana": _grafana,
    "query": _query,
    "path": _path,
    "none": _nobody,
}
