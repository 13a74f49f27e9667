"""Who may tell of alerts: Alertmanager and Uptime Kuma by password or token, Grafana and Sentry by signature.

None of them publishes a whole signed request. What is published are the parts: RFC 4231 (HMAC-SHA256), RFC 7617
(Basic), RFC 6750 (Bearer); how Grafana and Sentry put them together is done here as their own sources do it.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from gateway.intake.hooks.delivery import Delivery
from gateway.intake.hooks.hook import Hook
from gateway.settings import Hook as HookSettings
from tests.hooks.samples import NOW, samples
from tests.world import World

PRODUCTS = ("alertmanager", "grafana", "uptime_kuma", "sentry")
SECRET = "alerts:pass word"
BODY = b'{"status": "firing"}'
RFC_4231 = {  # its test cases 1 and 2: key, data, digest
    "1": (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    "2": (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
}


def refused(preset: str, headers: dict[str, str], body: bytes = BODY, secret: Any = SECRET, now: float = NOW) -> str:
    """Why a delivery with HEADERS is refused; an empty text when it is genuine."""
    settings = {"name": "a-hook", "preset": preset, "secret": secret, "targets": "group:123456"}
    delivery = Delivery("POST", "", {}, {name.lower(): text for name, text in headers.items()}, body)
    return Hook(HookSettings.model_validate(settings)).refusal(delivery, {}, now) or ""


def signature(body: bytes = BODY, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def basic(secret: str = SECRET) -> str:
    return "Basic " + base64.b64encode(secret.encode()).decode()


def proof(preset: str, body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    """The headers with which PRESET's product proves itself, in the spelling in which it sends them."""
    return {
        "alertmanager": {"Authorization": basic(secret)},
        "grafana": {"X-Grafana-Alerting-Signature": signature(body, secret)},
        "uptime_kuma": {"Authorization": f"Bearer {secret}"},
        "sentry": {"Sentry-Hook-Signature": signature(body, secret)},
    }[preset]


@pytest.mark.parametrize("preset", PRODUCTS)
def test_a_genuine_one_is_taken_whatever_the_case_of_its_headers(preset: str) -> None:
    headers = proof(preset)
    assert refused(preset, headers) == ""
    assert refused(preset, {name.upper(): text for name, text in headers.items()}) == ""
    assert refused(preset, {name.lower(): text for name, text in headers.items()}) == ""


@pytest.mark.parametrize("preset", PRODUCTS)
def test_without_proof_it_is_told_what_to_send(preset: str) -> None:
    assert "send" in refused(preset, {})
    assert "send" in refused(preset, {"X-Hub-Signature-256": "sha256=" + signature()})


@pytest.mark.parametrize("preset", PRODUCTS)
def test_with_another_secret_it_is_refused(preset: str) -> None:
    for wrong in ("", "alerts:pass  word", "alerts:Pass word", "alerts", "pass word", SECRET[:-1]):
        assert refused(preset, proof(preset, secret=wrong))


@pytest.mark.parametrize("preset", PRODUCTS)
def test_a_proof_that_is_cut_or_dressed_up_is_refused(preset: str) -> None:
    for name, text in proof(preset).items():
        for near in (
            text[:-1],
            text[1:],
            "sha256=" + text,
            text + "0",
            text.replace("a", "b"),
            "x" + text,
            "é",
            "\udce9",
        ):
            assert refused(preset, {name: near}), near


@pytest.mark.parametrize("preset", PRODUCTS)
def test_while_the_secret_is_changed_both_are_taken(preset: str) -> None:
    secrets = [SECRET, "alerts:new one"]
    assert all(refused(preset, proof(preset, secret=secret), secret=secrets) == "" for secret in secrets)
    assert refused(preset, proof(preset, secret="alerts:third"), secret=secrets)


@pytest.mark.parametrize("preset", ["grafana", "sentry"])
def test_a_signature_is_of_this_body_and_no_other(preset: str) -> None:
    headers = proof(preset)
    assert refused(preset, headers, BODY + b"\n")
    assert refused(preset, headers, BODY.replace(b" ", b""))
    assert refused(preset, headers, b"")


@pytest.mark.parametrize("case", RFC_4231)
@pytest.mark.parametrize("preset", ["grafana", "sentry"])
def test_the_vectors_of_rfc_4231_are_taken(preset: str, case: str) -> None:
    key, data, digest = RFC_4231[case]
    name = next(iter(proof(preset)))
    assert refused(preset, {name: digest}, data, key.decode()) == ""
    assert refused(preset, {name: digest}, data + b" ", key.decode())


@pytest.mark.parametrize("preset", ["alertmanager", "grafana", "uptime_kuma"])
def test_the_examples_of_rfc_7617_and_rfc_6750_are_taken(preset: str) -> None:
    assert refused(preset, {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, secret="Aladdin:open sesame") == ""
    assert refused(preset, {"Authorization": "basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, secret="Aladdin:open sesame") == ""
    assert refused(preset, {"Authorization": "Basic dGVzdDoxMjPCow=="}, secret="test:123£") == ""
    assert refused(preset, {"Authorization": "Bearer mF_9.B5f-4.1JqM"}, secret="mF_9.B5f-4.1JqM") == ""
    for near in (
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",
        "Basic //79",
        "Basic",
        "Bearer",
        "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    ):
        assert refused(preset, {"Authorization": near}, secret="Aladdin:open sesame")


def test_sentry_is_not_taken_by_password() -> None:
    assert refused("sentry", {"Authorization": basic()})
    assert refused("sentry", {"Authorization": f"Bearer {SECRET}"})


# What follows is of https://github.com/grafana/alerting/blob/main/http/hmac.go, and the secret, the text and the time
# (a clock at the epoch) are those of hmac_test.go beside it.
GRAFANA_STAMPED = hmac.new(b"secret", b"0:test message", hashlib.sha256).hexdigest()
STAMPS = ("X-Grafana-Alerting-Signature-Timestamp", "X-Grafana-Alerting-Timestamp", "X-Timestamp", "x-timestamp")


@pytest.mark.parametrize("name", STAMPS)
def test_grafana_may_name_the_timestamp_that_it_signs(name: str) -> None:
    signed = {"X-Grafana-Alerting-Signature": GRAFANA_STAMPED}
    unstamped = {"X-Grafana-Alerting-Signature": signature(b"test message", "secret")}

    def refused_then(headers: dict[str, str]) -> str:
        return refused("grafana", headers, b"test message", "secret", now=0.0)

    assert refused_then({**signed, name: "0"}) == ""
    assert refused_then({**signed, name: "1"})
    assert refused_then({**signed, name: "00"})
    assert refused_then(signed)
    assert refused_then(unstamped) == ""
    assert refused_then({**unstamped, name: "0"}) == ""  # which somebody on the way added
    assert refused_then({**signed, "X-Proxy-Timestamp": "1", name: "0"}) == ""


@pytest.mark.parametrize("name", ["X-Grafana-Alerting-Signature", "X-Grafana-Alert-Signature"])
def test_grafana_signs_under_the_name_of_today_and_of_its_first_version(name: str) -> None:
    assert refused("grafana", {name: signature()}) == ""


def test_an_old_message_of_grafana_is_no_new_one() -> None:
    stamp = str(int(NOW))
    headers = {
        "X-Grafana-Alerting-Signature": signature(stamp.encode() + b":" + BODY),
        "X-Grafana-Alerting-Timestamp": stamp,
    }
    assert refused("grafana", headers, now=NOW + 299) == ""
    assert refused("grafana", headers, now=NOW - 299) == ""
    assert "old message" in refused("grafana", headers, now=NOW + 301)
    assert "old message" in refused("grafana", headers, now=NOW - 301)
    for stamp in ("-1", "1e9", "²", "9" * 400, "now", str(NOW)):
        headers = {
            "X-Grafana-Alerting-Signature": signature(stamp.encode() + b":" + BODY),
            "X-Grafana-Alerting-Timestamp": stamp,
        }
        assert "old message" in refused("grafana", headers)


def test_a_wrong_signature_of_grafana_is_not_made_good_by_the_password() -> None:
    headers = {"X-Grafana-Alerting-Signature": signature(secret="another"), "Authorization": basic()}
    assert refused("grafana", headers)


@pytest.mark.parametrize("scheme", ["Bearer", "Token", "Api-Key"])
def test_grafana_may_send_its_credentials_under_any_scheme(scheme: str) -> None:
    assert refused("grafana", {"Authorization": f"{scheme} {SECRET}"}) == ""
    assert refused("grafana", {"Authorization": f"{scheme} {SECRET} "[:-2]})
    assert refused("grafana", {"Authorization": f"{scheme}{SECRET}"})


@pytest.mark.parametrize("preset", PRODUCTS)
async def test_what_is_not_as_the_product_sends_it_is_refused_with_a_reason_and_not_told(
    world: World, preset: str
) -> None:
    """Also where the proof is good: each of these is answered as the sender can understand it."""
    gateway = await world.gateway(
        hooks=[{"name": "alerts", "preset": preset, "secret": SECRET, "targets": "group:123456"}]
    )
    sample = next(sample for sample in samples(preset) if sample.segments and not sample.settings.get("verify"))
    good = json.dumps(sample.payload).encode()
    unknown = next(sample for sample in samples(preset) if sample.refused)

    async def sent(body: bytes, headers: dict[str, str], genuine: bool = True) -> tuple[int, str]:
        signed = proof(preset, body) if genuine else {}
        reply = await gateway.post("/hooks/alerts", body, {**sample.headers, **signed, **headers})
        return reply.status, reply.json.get("code", "")

    form = "application/x-www-form-urlencoded"
    assert await sent(good, {}, genuine=False) == (401, "signature_invalid")
    assert await sent(good, proof(preset, good, "alerts:wrong")) == (401, "signature_invalid")
    assert await sent(b"{", {}) == (400, "json_invalid")
    assert await sent(b"[]", {}) == (400, "json_invalid")
    assert await sent(good, {"Content-Type": "text/plain"}) == (415, "content_type")
    assert await sent(good, {"Content-Type": form}) == (415, "content_type")
    assert await sent(json.dumps(unknown.payload).encode(), unknown.headers) == (422, unknown.refused)
    assert await world.receipts() == []

    assert await sent(good, {}) == (202, "")
    assert await sent(good, {}) == (202, "")
    await world.ended(1)
    assert len(world.napcat.received) == 1


async def test_an_installation_at_sentry_is_answered_and_not_told(world: World) -> None:
    hook = {"name": "errors", "preset": "sentry", "secret": SECRET, "targets": "group:123456"}
    gateway = await world.gateway(hooks=[hook])
    sample = next(sample for sample in samples("sentry") if sample.name == "installation_created")
    body = json.dumps(sample.payload).encode()
    reply = await gateway.post("/hooks/errors", body, {**sample.headers, **proof("sentry", body)})
    assert (reply.status, reply.json) == (200, {"event": "installation.created", "jobs": []})
    assert await world.receipts() == []


async def test_a_key_is_made_of_the_hook_the_delivery_and_the_target(world: World) -> None:
    hook = {"name": "errors", "preset": "sentry", "secret": SECRET, "targets": ["group:123456", "private:20002"]}
    gateway = await world.gateway(hooks=[hook])
    sample = next(sample for sample in samples("sentry") if sample.name == "issue_created")
    body = json.dumps(sample.payload).encode()
    await gateway.post("/hooks/errors", body, {**sample.headers, **proof("sentry", body)})
    keys = [receipt.key or "" for receipt in await world.ended(2)]
    deliveries = {key.removeprefix("hook:errors:").partition(":")[0] for key in keys}
    assert len(deliveries) == 1
    assert sorted(keys) == sorted(f"hook:errors:{deliveries.copy().pop()}:{target}" for target in hook["targets"])
