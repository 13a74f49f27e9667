"""Who may send as Docker Hub, Bark, ServerChan, by Standard Webhooks, and any JSON: genuine, missing, wrong, nearly."""

import base64
import hashlib
import hmac
from typing import Any

import pytest

from gateway.intake.hooks.delivery import Delivery
from gateway.intake.hooks.hook import Hook
from gateway.model.errors import Refused
from gateway.settings import Hook as HookSettings

NOW = 1_790_000_000.0
BODY = b'{"test": 2432232314}'

# https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/go/webhook_test.go (TestWebhookSign)
KEY = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SENT = 1_614_265_330
VECTOR = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(SENT),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
OTHERS = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
"""A signature of the same file that is none of this body."""


def reason(preset: str, secrets: Any, delivery: Delivery, now: float = NOW, **settings: Any) -> str | None:
    """Return why a hook of PRESET refuses DELIVERY, None when it takes it."""
    hook = Hook(
        HookSettings.model_validate(
            {"name": "a", "preset": preset, "secret": secrets, "targets": "group:1", **settings}
        )
    )
    return hook.refusal(delivery, hook.payload(delivery), now)


def called(
    method: str = "POST",
    path: str = "",
    query: dict[str, str] | None = None,
    body: bytes = b"{}",
    headers: dict[str, str] | None = None,
) -> Delivery:
    return Delivery(method, path, query or {}, {"content-type": "application/json", **(headers or {})}, body)


def standard(secrets: Any, now: float = SENT, body: bytes = BODY, **changes: str | None) -> str | None:
    headers = {**VECTOR, **{name.replace("_", "-"): text for name, text in changes.items()}}
    given = {name: text for name, text in headers.items() if text is not None}
    return reason("standard", secrets, called(body=body, headers=given), now)


@pytest.mark.parametrize("secret", [KEY, f"whsec_{KEY}"])
def test_the_published_vector_of_standard_webhooks_is_genuine(secret: str) -> None:
    assert standard(secret) is None


def test_the_signature_in_the_specification_s_form_may_stand_among_others() -> None:
    good = VECTOR["webhook-signature"]
    v1a = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
    assert standard(KEY, webhook_signature=f"{OTHERS} {OTHERS.replace('v1', 'v2')} {good} {OTHERS}") is None
    assert standard(KEY, webhook_signature=f"{v1a} {good}") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook_id": None},
        {"webhook_timestamp": None},
        {"webhook_signature": None},
        {"webhook_id": ""},
        {"webhook_signature": OTHERS},
        {"webhook_signature": ""},
        {"webhook_signature": VECTOR["webhook-signature"].removeprefix("v1,")},
        {"webhook_signature": VECTOR["webhook-signature"].replace("v1,", "v2,")},
        {"webhook_signature": VECTOR["webhook-signature"].replace("v1,", "V1,")},
        {"webhook_signature": VECTOR["webhook-signature"][:-2]},
        {"webhook_signature": VECTOR["webhook-signature"].lower()},
        {"webhook_signature": "v1,"},
        {"webhook_signature": "v1,,,,"},
        {"webhook_signature": "v1,\ud800é"},
        {"webhook_id": VECTOR["webhook-id"].lower()},
        {"webhook_id": VECTOR["webhook-id"] + "."},
        {"webhook_timestamp": str(SENT + 1)},
        {"webhook_timestamp": f"{SENT}.5"},
        {"webhook_timestamp": f" {SENT}"},
        {"webhook_timestamp": "nan"},
        {"webhook_timestamp": "9" * 400},
        {"webhook_timestamp": "-1"},
        {"webhook_timestamp": "١٦١٤٢٦٥٣٣٠"},
    ],
)
def test_what_differs_from_the_vector_in_anything_is_refused(changes: dict[str, str | None]) -> None:
    assert standard(KEY, SENT, BODY, **changes)


def test_another_body_and_another_secret_are_refused() -> None:
    assert standard(KEY, body=BODY + b" ")
    assert standard(KEY[:-4] + "AAAA")


@pytest.mark.parametrize(
    ("late", "taken"), [(0, True), (299, True), (300, True), (301, False), (-301, False), (-300, True)]
)
def test_a_delivery_of_another_time_is_refused_whatever_its_signature(late: int, taken: bool) -> None:
    assert (standard(KEY, now=SENT + late) is None) is taken


def test_a_secret_is_changed_without_a_gap() -> None:
    other = "whsec_" + base64.b64encode(b"another secret of 24 by").decode()
    assert standard([other, KEY]) is None
    assert standard([KEY, other]) is None
    assert standard([other])


def test_svix_signs_the_same_under_its_own_names_and_neither_is_mixed_with_the_other() -> None:
    """https://docs.svix.com/receiving/verifying-payloads/how-manual."""
    svix = {name.replace("webhook", "svix"): text for name, text in VECTOR.items()}
    assert reason("standard", KEY, called(body=BODY, headers=svix), SENT) is None
    mixed = {**VECTOR, "svix-id": "msg_another"}
    assert reason("standard", KEY, called(body=BODY, headers=mixed), SENT)
    hook = Hook(HookSettings.model_validate({"name": "a", "preset": "standard", "secret": KEY, "targets": "group:1"}))
    twice = called(body=BODY, headers={**svix, "webhook-id": "msg_another"})
    assert hook.refusal(twice, {}, SENT) is None
    assert hook.delivery_id(twice, {}, SENT) == VECTOR["webhook-id"]


@pytest.mark.parametrize("secret", ["whsec_", "whsec_é", "not base64", "a"])
def test_a_secret_that_is_none_of_standard_webhooks_is_told_at_the_start(secret: str) -> None:
    with pytest.raises(Refused, match="secret"):
        standard(secret)


@pytest.mark.parametrize(
    ("query", "taken"),
    [
        ({"token": "s3cret"}, True),
        ({"token": "old"}, True),
        ({}, False),
        ({"token": ""}, False),
        ({"token": "S3cret"}, False),
        ({"token": "s3cre"}, False),
        ({"token": "s3cret "}, False),
        ({"token": "é"}, False),
        ({"Token": "s3cret"}, False),
        ({"secret": "s3cret"}, False),
    ],
)
def test_docker_hub_is_known_by_the_token_in_its_url(query: dict[str, str], taken: bool) -> None:
    assert (reason("dockerhub", ["s3cret", "old"], called(query=query)) is None) is taken
    in_the_body = called(body=b'{"token": "s3cret"}', headers={"authorization": "Bearer s3cret"})
    assert reason("dockerhub", "s3cret", in_the_body)


@pytest.mark.parametrize(
    ("path", "query", "body", "taken"),
    [
        ("key1", {}, b"", True),
        ("key2/title/body", {}, b"", True),
        ("%6Bey1/body", {}, b"", True),
        ("push", {}, b'{"device_key": "key1"}', True),
        ("", {"device_key": "key1"}, b"", True),
        ("", {}, b"", False),
        ("push", {}, b"{}", False),
        ("push", {}, b'{"device_key": 1}', False),
        ("push", {}, b'{"device_key": ["key1"]}', False),
        ("KEY1/body", {}, b"", False),
        ("key", {}, b"", False),
        ("key1.send", {}, b"", False),
        ("key1%2Fbody", {}, b"", False),
        ("title/key1", {}, b"", False),
        ("body", {"key": "key1"}, b"", False),
    ],
)
def test_bark_is_known_by_its_device_key(path: str, query: dict[str, str], body: bytes, taken: bool) -> None:
    assert (reason("bark", ["key1", "key2"], called(path=path, query=query, body=body)) is None) is taken


@pytest.mark.parametrize(
    ("path", "query", "taken"),
    [
        ("SCT1Tabc.send", {}, True),
        ("SCT2Tdef.send", {}, True),
        ("SCT1Tabc", {}, True),  # what has no suffix is the key all the same
        ("", {}, False),
        (".send", {}, False),
        ("SCT1Tab.send", {}, False),
        ("sct1tabc.send", {}, False),
        ("SCT1Tabc.SEND", {}, False),
        ("SCT1Tabc.send.send", {}, False),
        ("", {"sendkey": "SCT1Tabc"}, False),
    ],
)
def test_serverchan_is_known_by_its_sendkey(path: str, query: dict[str, str], taken: bool) -> None:
    assert (reason("serverchan", ["SCT1Tabc", "SCT2Tdef"], called("GET", path, query, b"")) is None) is taken


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"authorization": "Bearer s3cret"}, True),
        ({"authorization": "bearer  s3cret "}, True),
        ({"authorization": "s3cret"}, True),
        ({"x-token": "s3cret"}, True),
        ({"x-token": "old", "authorization": "Bearer wrong"}, True),
        ({}, False),
        ({"authorization": ""}, False),
        ({"authorization": "Bearer"}, False),
        ({"authorization": "Bearer S3CRET"}, False),
        ({"authorization": "Bearer s3cre"}, False),
        ({"authorization": "Bearers3cret"}, False),
        ({"x-token": "\ud800"}, False),
        ({"x-auth-token": "s3cret"}, False),
    ],
)
def test_any_json_is_known_by_its_token(headers: dict[str, str], taken: bool) -> None:
    assert (reason("generic", ["s3cret", "old"], called(headers=headers)) is None) is taken


def test_a_hook_may_be_told_another_way_to_know_its_sender() -> None:
    digest = hmac.new(b"s3cret", BODY, hashlib.sha256).hexdigest()
    verify = {"kind": "hmac", "header": "X-Signature", "prefix": "hex:"}
    good = called(body=BODY, headers={"x-signature": f"hex:{digest}"})
    assert reason("generic", "s3cret", good, verify=verify) is None
    assert reason("generic", "s3cret", called(body=BODY, headers={"authorization": "Bearer s3cret"}), verify=verify)
    assert reason("bark", (), called("GET", "anything/hello", body=b""), verify={"kind": "none"}) is None


def test_a_reason_never_tells_the_secret() -> None:
    told = [standard(KEY, now=0), standard(KEY, webhook_signature=OTHERS), reason("dockerhub", "s3cret", called())]
    told += [reason(preset, "s3cret", called(path="x")) for preset in ("bark", "serverchan", "generic")]
    for text in told:
        assert text
        assert KEY not in text
        assert "s3cret" not in text
