"""Who may speak for GitHub, GitLab, Gitea and Forgejo: genuine, missing, wrong and nearly right signatures."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from standardwebhooks.webhooks import Webhook

from gateway.intake.hooks.delivery import FORM, Delivery
from gateway.intake.hooks.hook import Hook
from gateway.model.errors import Refused
from gateway.settings import Hook as HookSettings
from tests.hooks.samples import NOW, samples

SECRET, OLD = "It's a Secret to Everybody", "the one before"
BODY = b'{"zen": "Keep it logically awesome."}'
JSON = "application/json"


def hook_of(preset: str, *secrets: str, **settings: object) -> Hook:
    given = {"name": "a-hook", "preset": preset, "secret": list(secrets or [SECRET]), "targets": ["group:123456"]}
    return Hook(HookSettings.model_validate({**given, **settings}))


def call(headers: dict[str, str], body: bytes = BODY, content_type: str = JSON) -> Delivery:
    lower = {name.lower(): text for name, text in headers.items()}
    return Delivery("POST", "", {}, {"content-type": content_type, **lower}, body)


def digest(secret: str = SECRET, body: bytes = BODY) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_genuine(hook: Hook, delivery: Delivery) -> bool:
    return hook.refusal(delivery, {}, NOW) is None


SIGNED = {
    "github": ("X-Hub-Signature-256", "sha256="),
    "gitea": ("X-Gitea-Signature", ""),
    "forgejo": ("X-Forgejo-Signature", ""),
}
signers = pytest.mark.parametrize(("preset", "header", "prefix"), [(name, *how) for name, how in SIGNED.items()])


def test_the_vector_that_github_publishes_is_genuine() -> None:
    # https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert is_genuine(hook_of("github"), call({"X-Hub-Signature-256": signature}, b"Hello, World!"))
    assert not is_genuine(hook_of("github"), call({"X-Hub-Signature-256": signature}, b"Hello, World"))


@pytest.mark.parametrize(("preset", "header"), [("gitea", "X-Gitea-Signature"), ("forgejo", "X-Forgejo-Signature")])
def test_the_vector_of_rfc_4231_is_genuine_where_the_product_publishes_none(preset: str, header: str) -> None:
    # https://www.rfc-editor.org/rfc/rfc4231#section-4.3
    signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert is_genuine(hook_of(preset, "Jefe"), call({header: signature}, b"what do ya want for nothing?"))


@signers
def test_a_signature_of_this_body_with_our_secret_is_genuine(preset: str, header: str, prefix: str) -> None:
    hook = hook_of(preset)
    assert is_genuine(hook, call({header: prefix + digest()}))
    assert is_genuine(hook, call({header.upper(): prefix + digest()}))  # names of headers have no case


@signers
def test_a_missing_signature_is_refused_with_what_to_do(preset: str, header: str, prefix: str) -> None:
    for headers in ({}, {header: ""}, {"X-Signature": prefix + digest()}):
        reason = hook_of(preset).refusal(call(headers), {}, NOW)
        assert reason is not None
        assert header.lower() in reason


@signers
@pytest.mark.parametrize(
    "wrong",
    [
        "{prefix}{other_secret}",
        "{prefix}{other_body}",
        "sha1={good}",
        "SHA256:{good}",
        "{prefix}{prefix}{good} ,",
        "{prefix}{short}",
        "{prefix}{good}0",
        "{prefix}",
        "{prefix}{base64}",
        "{prefix}\udcff",
    ],
)
def test_a_signature_that_is_nearly_right_is_refused(preset: str, header: str, prefix: str, wrong: str) -> None:
    spelled = wrong.format(
        prefix=prefix,
        good=digest(),
        short=digest()[:-1],
        other_secret=digest("it's a secret to everybody"),
        other_body=digest(body=BODY + b"\n"),
        base64=base64.b64encode(bytes.fromhex(digest())).decode(),
    )
    assert not is_genuine(hook_of(preset), call({header: spelled}))


@signers
def test_two_secrets_are_good_while_one_is_changed(preset: str, header: str, prefix: str) -> None:
    changing, changed = hook_of(preset, SECRET, OLD), hook_of(preset, SECRET)
    for secret in (SECRET, OLD):
        assert is_genuine(changing, call({header: prefix + digest(secret)}))
    assert not is_genuine(changed, call({header: prefix + digest(OLD)}))


def test_a_digest_without_its_prefix_is_none_of_github() -> None:
    assert not is_genuine(hook_of("github"), call({"X-Hub-Signature-256": digest()}))


def test_the_older_sha1_of_github_proves_nothing() -> None:
    signature = "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()
    assert not is_genuine(hook_of("github"), call({"X-Hub-Signature": signature}))
    assert not is_genuine(hook_of("github"), call({"X-Hub-Signature-256": signature}))


def test_forgejo_is_believed_by_its_own_signature_first_and_by_that_of_gitea_where_it_has_none() -> None:
    hook = hook_of("forgejo")
    assert is_genuine(hook, call({"X-Gitea-Signature": digest()}))
    assert not is_genuine(hook, call({"X-Forgejo-Signature": digest(OLD), "X-Gitea-Signature": digest()}))
    assert not is_genuine(hook_of("gitea"), call({"X-Forgejo-Signature": digest()}))


PAYLOAD = json.dumps({"action": "opened", "title": "Räder & Röhren + 100%"}, ensure_ascii=False).encode()
AS_FORM = urlencode({"payload": PAYLOAD}).encode()


def test_of_a_form_github_signs_the_form() -> None:
    hook = hook_of("github")
    good = call({"X-Hub-Signature-256": "sha256=" + digest(body=AS_FORM)}, AS_FORM, FORM)
    assert is_genuine(hook, good)
    assert hook.payload(good) == json.loads(PAYLOAD)
    assert not is_genuine(hook, call({"X-Hub-Signature-256": "sha256=" + digest(body=PAYLOAD)}, AS_FORM, FORM))


@pytest.mark.parametrize(("preset", "header"), [("gitea", "X-Gitea-Signature"), ("forgejo", "X-Forgejo-Signature")])
def test_of_a_form_gitea_and_forgejo_sign_the_json_in_it(preset: str, header: str) -> None:
    # https://github.com/go-gitea/gitea/blob/main/services/webhook/deliver.go: the HMAC is of t.PayloadContent
    hook = hook_of(preset)
    good = call({header: digest(body=PAYLOAD)}, AS_FORM, FORM)
    assert is_genuine(hook, good)
    assert hook.payload(good) == json.loads(PAYLOAD)
    assert not is_genuine(hook, call({header: digest(body=AS_FORM)}, AS_FORM, FORM))
    other = urlencode([("payload", PAYLOAD), ("payload", b"{}")]).encode()  # what is signed is what is read
    assert not is_genuine(hook, call({header: digest(body=PAYLOAD)}, other, FORM))
    assert is_genuine(hook, call({header: digest(body=BODY)}))


def test_gitlab_is_believed_by_its_secret_token_alone() -> None:
    hook = hook_of("gitlab")
    assert is_genuine(hook, call({"X-Gitlab-Token": SECRET}))
    assert is_genuine(hook, call({"X-GITLAB-TOKEN": SECRET}))
    for wrong in ("", OLD, SECRET[:-1], SECRET + "!", SECRET.lower(), "\udcff"):
        reason = hook.refusal(call({"X-Gitlab-Token": wrong}), {}, NOW)
        assert reason is not None
        assert "x-gitlab-token" in reason
    for header in ("Authorization", "X-Gitlab-Event", "X-Token"):
        assert not is_genuine(hook, call({header: SECRET}))
    assert not is_genuine(hook, call({}))


def test_two_tokens_of_gitlab_are_good_while_one_is_changed() -> None:
    changing = hook_of("gitlab", SECRET, OLD)
    assert is_genuine(changing, call({"X-Gitlab-Token": SECRET}))
    assert is_genuine(changing, call({"X-Gitlab-Token": OLD}))
    assert not is_genuine(hook_of("gitlab", SECRET), call({"X-Gitlab-Token": OLD}))


def test_the_signing_token_of_gitlab_is_a_standard_webhook_within_its_window() -> None:
    # https://gitlab.com/gitlab-org/gitlab/-/merge_requests/230944
    secret = "whsec_" + base64.b64encode(b"24 bytes that nobody else").decode()
    hook = hook_of("gitlab", secret, verify={"kind": "standard"})
    told = datetime.fromtimestamp(NOW, UTC)
    headers = {"webhook-id": "f5e57ebe-07ab-4c1c-95b3-c3e9fe0ca4f5", "webhook-timestamp": str(int(told.timestamp()))}
    signature = Webhook(secret).sign(headers["webhook-id"], told, BODY.decode())
    assert is_genuine(hook, call({**headers, "webhook-signature": signature}))
    replayed = {**headers, "webhook-timestamp": str(int(told.timestamp()) - 301), "webhook-signature": signature}
    assert not is_genuine(hook, call(replayed))
    assert not is_genuine(hook, call({"X-Gitlab-Token": secret}))


@pytest.mark.parametrize("preset", ["github", "gitlab", "gitea", "forgejo"])
def test_a_body_that_is_neither_json_nor_a_form_with_json_is_refused(preset: str) -> None:
    hook = hook_of(preset)
    cases = [
        (b"{}", "text/plain", "content_type"),
        (b"{}", "", "content_type"),
        (b"action=opened", FORM, "content_type"),
        (b"payload=nothing", FORM, "json_invalid"),
        (b"payload=%FF", FORM, "json_invalid"),
        (b"[]", JSON, "json_invalid"),
        (b"{", JSON, "json_invalid"),
    ]
    for body, content_type, code in cases:
        with pytest.raises(Refused) as refused:
            hook.payload(call({}, body, content_type))
        assert refused.value.code == code


NAMED_BY = {
    "github": "X-GitHub-Delivery",
    "gitlab": "Idempotency-Key",
    "gitea": "X-Gitea-Delivery",
    "forgejo": "X-Forgejo-Delivery",
}


@pytest.mark.parametrize("preset", sorted(NAMED_BY))
def test_the_id_of_the_delivery_is_in_the_key_and_stays_when_it_is_sent_again(preset: str) -> None:
    hook = hook_of(preset)
    told = next(one for one in samples(preset) if one.segments and NAMED_BY[preset] in one.headers)
    keys = {hook.read(told.delivery, hook.payload(told.delivery), now).jobs[0]["key"] for now in (NOW, NOW + 86_400)}
    assert keys == {f"hook:a-hook:{told.headers[NAMED_BY[preset]]}:group:123456"}


def test_before_17_4_the_id_of_a_delivery_of_gitlab_is_that_of_its_event() -> None:
    headers = {"x-gitlab-event-uuid": "13792a34-cac6-4fda-95a8-c58e00a3954e"}
    assert hook_of("gitlab").delivery_id(call(headers), {}, NOW) == headers["x-gitlab-event-uuid"]
