"""Real answers, copied as data, and what each of them proves."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.forward.rules import load_rules
from gateway.forward.verdict import UNMATCHED, judge
from gateway.model.verdict import Answer, Failure, Implementation, Rule, Verdict

SEND = "NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg ListenerName:NodeIKernelMsgListener/onMsgInfoListUpdate"
FORWARD = SEND.replace("/sendMsg", "/multiForwardMsgWithComment")
STACK = (
    "TypeError: Cannot read properties of undefined (reading 'type')\n"
    "    at SendMsg._handle (file:///app/napcat/napcat.mjs:1220:31)\n"
    "    at async Promise.all (index 0)"
)


def ok(message_id: int | None = 696124706, **more: Any) -> Answer:
    return Answer(http_status=200, status="ok", retcode=0, message_id=message_id, **more)


def failed(text: str = "", retcode: int = 200, **more: Any) -> Answer:
    return Answer(http_status=200, status="failed", retcode=retcode, text=text, **more)


def ws(text: str = "", retcode: int = 1200, **more: Any) -> Answer:
    return Answer(transport="ws", status="failed", retcode=retcode, text=text, **more)


def refused(result: int, words: str = "", **more: Any) -> Answer:
    ret = f'{{\n    "result": {result},\n    "errMsg": "{words}"\n}}'
    return failed(f"EventChecker Failed: {SEND} EventRet:\n{ret}\n", **more)


def timed_out(ret: str, event: str = SEND) -> Answer:
    return failed(f"Timeout: {event} EventRet:\n{ret}\n")


def http(status: int, text: str = "") -> Answer:
    return Answer(http_status=status, text=text)


def lost(error: Failure) -> Answer:
    return Answer(error=error)


NOTHING = '{\n    "result": 0,\n    "errMsg": ""\n}'

ANSWERS = [
    (ok(), "delivered", "delivered"),
    (ok(0), "delivered", "delivered"),
    (ok(-2147483648), "delivered", "delivered"),
    (Answer(transport="ws", status="ok", retcode=0, message_id=7), "delivered", "delivered"),
    (ok(None), "unknown", "unmatched"),
    (Answer(http_status=500, status="ok", retcode=0, message_id=7), "unknown", "proxy_error"),
    (Answer(http_status=200, status="async", retcode=1), "unknown", "accepted_async"),
    (Answer(http_status=200, status="ok", retcode=1, message_id=7), "unknown", "accepted_async"),
    (lost("dns"), "retry", "not_connected"),
    (lost("refused"), "retry", "not_connected"),
    (lost("connect_timeout"), "retry", "not_connected"),
    (lost("tls"), "retry", "not_connected"),
    (lost("handshake"), "retry", "not_connected"),
    (lost("pool"), "retry", "crowded"),
    (lost("bad_endpoint"), "retry", "not_connected"),
    (lost("timeout"), "unknown", "no_answer"),
    (lost("reset"), "unknown", "no_answer"),
    (Answer(error="unparsable", http_status=200, text="fetch failed"), "unknown", "unreadable_answer"),
    (http(403, '{"message":"token verify failed!"}'), "retry", "bad_token"),
    (http(403, '{"message":"token verify failed"}'), "retry", "bad_token"),
    (http(401), "retry", "bad_token"),
    (ws("token验证失败", 1403), "retry", "bad_token"),
    (ws("", 1401), "retry", "bad_token"),
    (http(400, "Invalid JSON"), "rejected", "malformed_request"),
    (http(406), "rejected", "malformed_request"),
    (http(413, "<html><h1>413 Request Entity Too Large</h1></html>"), "rejected", "malformed_request"),
    (http(415), "rejected", "malformed_request"),
    (http(404, "404 page not found"), "rejected", "unknown_action"),
    (http(405), "rejected", "unknown_action"),
    (failed("不支持的Api nope"), "rejected", "unknown_action"),
    (ws("不支持的API nope", 1404), "rejected", "unknown_action"),
    (Answer(http_status=404, status="failed", retcode=404, text="nope API 不存在"), "rejected", "unknown_action"),
    (failed("API_NOT_FOUND: API不存在", 404), "rejected", "unknown_action"),
    (http(301), "retry", "redirected"),
    (http(308), "retry", "redirected"),
    (http(429), "retry", "busy"),
    (http(503, "no available server"), "retry", "busy"),
    (http(502, "<html><head><title>502 Bad Gateway</title></head></html>"), "unknown", "proxy_error"),
    (http(504), "unknown", "proxy_error"),
    (http(500, STACK), "unknown", "proxy_error"),
    (http(520), "unknown", "proxy_error"),
    (http(408, "fetch failed"), "unknown", "unexpected_http"),
    (failed("Server is closed"), "retry", "adapter_closed"),
    (
        failed("转发消息不能和普通消息混在一起发送,转发需要保证message只有type为node的元素", 400),
        "rejected",
        "bad_request",
    ),
    (ws("json解析失败,请检查数据格式", 1400), "rejected", "bad_request"),
    (refused(120, "你已被禁言，消息无法发送。"), "retry", "muted"),
    (ws(refused(120).text), "retry", "muted"),
    (failed("当前处于被禁言状态"), "retry", "muted"),
    (failed("", 120), "retry", "muted"),
    (failed("发送消息失败 (code=120): 你已被禁言"), "retry", "muted"),
    (refused(299, "发言太快"), "retry", "too_fast"),
    (refused(241), "retry", "too_fast"),
    (refused(9999, "发送消息过于频繁，请稍后再试"), "retry", "too_fast"),
    (failed("频率过高"), "retry", "too_fast"),
    (failed("", 1201), "retry", "too_fast"),
    (failed("", 299), "retry", "too_fast"),
    (refused(46, "账号被限制"), "retry", "account_restricted"),
    (refused(1006514, "网络连接异常!"), "retry", "account_restricted"),
    (refused(9999, "您的账号已被冻结"), "retry", "account_restricted"),
    (refused(16, "对方账号已被冻结"), "retry", "refused_by_qq"),
    (refused(16, "对方的账号已被限制"), "retry", "refused_by_qq"),
    (failed("", 46), "retry", "account_restricted"),
    (refused(110, "发送失败，你已被移出该群，请重新加群。"), "rejected", "target_unreachable"),
    (refused(103, "群主禁止成员临时会话"), "rejected", "target_unreachable"),
    (refused(55), "rejected", "target_unreachable"),
    (refused(9999, "发送失败,请添加对方为好友"), "rejected", "target_unreachable"),
    (refused(9999, "发送失败，请添加对方为好友"), "rejected", "target_unreachable"),
    (failed("", 110), "rejected", "target_unreachable"),
    (failed("GROUP_NOT_FOUND: 群聊不存在", 100), "rejected", "target_unreachable"),
    (failed("FRIEND_NOT_FOUND", 100), "rejected", "target_unreachable"),
    (refused(121), "rejected", "at_all_spent"),
    (failed("", 121), "rejected", "at_all_spent"),
    (refused(-1, "rich media transfer failed"), "retry", "media_upload_failed"),
    (failed("发送消息失败 (code=-1): rich media transfer failed"), "retry", "media_upload_failed"),
    (refused(34), "rejected", "content_refused"),
    (failed("", 34), "rejected", "content_refused"),
    (refused(1), "retry", "refused_by_qq"),
    (failed("发送消息失败 (code=79): 发送失败"), "retry", "refused_by_qq"),
    (failed(f"EventChecker Failed: {SEND}"), "retry", "refused_by_qq"),
    (timed_out(NOTHING), "unknown", "no_confirmation"),
    (timed_out("{}"), "unknown", "no_confirmation"),
    (timed_out("{}", FORWARD), "unknown", "no_confirmation"),
    (ws(timed_out(NOTHING).text), "unknown", "no_confirmation"),
    (failed(f"发送合并转发消息失败: Error: Timeout: {SEND} EventRet:\n{{}}"), "unknown", "no_confirmation"),
    (failed("发送转发消息（res_id：abc 失败"), "unknown", "maybe_sent"),
    (failed("发送消息失败"), "unknown", "maybe_sent"),
    (failed("未知错误，可能操作超时"), "unknown", "maybe_sent"),
    (failed("未知错误,可能操作超时"), "unknown", "maybe_sent"),
    (failed("发送超时"), "unknown", "maybe_sent"),
    (failed("发送消息失败 (sequence=0)"), "unknown", "maybe_sent"),
    (
        failed("消息体无法解析, 请检查是否发送了不支持的消息类型", nodes=True),
        "unknown",
        "forward_maybe_sent",
    ),
    (failed("消息体无法解析, 请检查是否发送了不支持的消息类型"), "rejected", "message_unusable"),
    (failed("消息体无法解析，请检查是否发送了不支持的消息类型"), "rejected", "message_unusable"),
    (failed("未知的消息类型：share"), "rejected", "message_unusable"),
    (failed("转发消息失败，生成节点为空"), "rejected", "message_unusable"),
    (failed("Get Uid Error"), "rejected", "message_unusable"),
    (failed("请指定正确的 group_id 或 user_id"), "rejected", "message_unusable"),
    (failed("当前私聊发送,请指定 user_id 而不是 group_id"), "rejected", "message_unusable"),
    (failed(STACK), "rejected", "message_unusable"),
    (failed("EMPTY_MSG_ERROR: 消息为空", 100), "rejected", "message_unusable"),
    (failed("EMPTY_NODES: 未找到任何可发送的合并转发信息", 100), "rejected", "message_unusable"),
    (failed("文件消息缺少参数"), "rejected", "media_unusable"),
    (failed("文件处理失败: 识别URL失败, uri= ftp://x"), "rejected", "media_unusable"),
    (failed("文件异常，大小为0"), "rejected", "media_unusable"),
    (failed("语音转换失败, 请检查语音文件是否正常"), "rejected", "media_unusable"),
    (failed("[Highway] 视频文件过大: 140.00 MB > 100 MB，请使用文件上传！"), "rejected", "media_unusable"),
    (failed("element not found"), "rejected", "media_unusable"),
    (failed("ENOENT: no such file or directory, open '/data/a.png'"), "rejected", "media_unusable"),
    (
        failed(
            "发送伪造合并转发消息失败: Error: [PacketClient] sendPacket 超时 cmd=trpc.group.long_msg timeout=5000ms\n"
            "    at x (file:///app/napcat/napcat.mjs:1:1)"
        ),
        "retry",
        "forward_upload_timeout",
    ),
    (
        failed("发送合并转发消息失败: Error: sendCommand timed out after 20000 ms for trpc.group.SsoSendLongMsg"),
        "retry",
        "forward_upload_timeout",
    ),
    (failed("下载文件失败: Forbidden"), "rejected", "media_gone"),
    (failed("下载文件失败: Not Found"), "rejected", "media_gone"),
    (failed("下载失败: 404 Not Found"), "rejected", "media_gone"),
    (failed("fetch failed: getaddrinfo ENOTFOUND nowhere.invalid"), "rejected", "media_gone"),
    (failed("fetch failed: bad port"), "rejected", "media_gone"),
    (failed("下载失败: 429 Too Many Requests"), "retry", "media_unavailable"),
    (failed("下载失败: 503 Service Unavailable"), "retry", "media_unavailable"),
    (failed("下载文件失败: Internal Server Error"), "retry", "media_unavailable"),
    (failed("fetch failed"), "retry", "media_unavailable"),
    (failed("connect ECONNREFUSED 10.0.0.1:80"), "retry", "media_unavailable"),
    (failed("Connect Timeout Error"), "retry", "media_unavailable"),
    (failed("无法获取用户信息"), "retry", "user_unknown"),
    (
        failed("SEND_MSG_API_ERROR: send group message failed: blocked by server", 100),
        "unknown",
        "risk_control",
    ),
    (failed("SEND_MSG_API_ERROR: 请参考 go-cqhttp 端输出", 100), "unknown", "unmatched"),
    (failed("", 9000), "unknown", "no_sequence"),
    (failed("Bad Segment Data", 10006), "rejected", "onebot12_request"),
    (failed("Internal Handler Error", 20002), "unknown", "onebot12_handler"),
    (failed("Network Error", 33001), "unknown", "onebot12_network"),
    (failed("Platform Error", 34001), "rejected", "onebot12_platform"),
    (failed("I Am Tired", 36000), "retry", "too_fast"),
    (failed("天有不测风云"), "unknown", "unmatched"),
    (failed("", 9057), "unknown", "unmatched"),
    (Answer(), "unknown", "unmatched"),
]


@pytest.mark.parametrize(("answer", "verdict", "name"), ANSWERS)
def test_an_answer_proves(answer: Answer, verdict: str, name: str) -> None:
    ruling = judge(answer, load_rules())
    assert (ruling.verdict, ruling.rule.name) == (verdict, name)


def test_every_row_of_the_table_is_met_by_a_real_answer_and_advises() -> None:
    assert {rule.name for rule in load_rules()} <= {name for _, _, name in ANSWERS}
    assert all(rule.advice and "\n" not in rule.advice for rule in (*load_rules(), UNMATCHED))


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (refused(46, "发言过于频繁，账号被限制"), "account_restricted"),
        (refused(110, "你已被禁言，并被移出该群"), "target_unreachable"),
        (timed_out('{"result": 120, "errMsg": "你已被禁言"}'), "no_confirmation"),
        (timed_out('{"result": -1, "errMsg": "rich media transfer failed"}'), "no_confirmation"),
    ],
)
def test_the_code_that_qq_gave_settles_it_before_any_words(answer: Answer, name: str) -> None:
    assert judge(answer, load_rules()).rule.name == name


def test_the_result_of_the_kernel_is_told() -> None:
    assert judge(refused(120, "禁言"), load_rules()).result == 120
    assert judge(timed_out("{}"), load_rules()).result is None
    assert judge(failed("发送消息失败 (code=-1): x"), load_rules()).result == -1


@pytest.mark.parametrize(
    "ret", ['{"result": "120"}', '{"result": true}', '{"result": 1e999}', "{broken}", '{"a":' * 1500 + "}"]
)
def test_a_refusal_whose_details_cannot_be_read_is_still_a_refusal(ret: str) -> None:
    ruling = judge(failed(f"EventChecker Failed: {SEND} EventRet:\n{ret}"), load_rules())
    assert (ruling.rule.name, ruling.result) == ("refused_by_qq", None)


def test_effects_are_what_the_table_asks_for() -> None:
    effects = {
        (rule.name, rule.effect, rule.hold, rule.after, rule.spends) for rule in load_rules() if rule.effect is not None
    }
    assert effects == {
        ("not_connected", "pause", 1_000, 1, False),
        ("bad_token", "pause", 1_000, 1, False),
        ("redirected", "pause", 30_000, 1, False),
        ("no_answer", "pause", 1_000, 3, True),
        ("unknown_action", "pause", 30_000, 1, True),
        ("busy", "pause", 1_000, 5, True),
        ("adapter_closed", "pause", 1_000, 1, False),
        ("proxy_error", "pause", 1_000, 5, True),
        ("muted", "park", 600_000, 1, False),
        ("too_fast", "slow_target", 600_000, 1, True),
        ("account_restricted", "pause", 600_000, 1, False),
        ("risk_control", "slow_account", 600_000, 1, True),
    }


def test_what_many_targets_meet_at_once_is_the_accounts_matter() -> None:
    widespread = {rule.name: rule.widespread for rule in load_rules() if rule.widespread is not None}
    assert {name: (one.targets, one.within, one.effect, one.reason) for name, one in widespread.items()} == {
        "muted": (5, 60_000, "pause", "muted_everywhere"),
        "no_confirmation": (3, 300_000, "slow_account", "risk_control"),
    }


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        (timed_out(NOTHING), True),
        (ws(timed_out(NOTHING).text), True),
        (timed_out("{}"), False),  # the kernel did not answer: that is a stuck session, not QQ
        (timed_out('{"result": 1}'), False),
        (lost("timeout"), False),
        (lost("reset"), False),
    ],
)
def test_only_what_qq_took_and_did_not_confirm_smells_of_risk_control(answer: Answer, counts: bool) -> None:
    assert (judge(answer, load_rules()).rule.widespread is not None) == counts


@pytest.mark.parametrize(
    ("retcode", "implementation", "name"),
    [
        (120, None, "muted"),
        (120, "lagrange", "muted"),
        (120, "napcat", "unmatched"),
        (34, "go-cqhttp", "unmatched"),
        (9000, "lagrange", "no_sequence"),
        (9000, "llonebot", "unmatched"),
        (10006, "onebot12", "onebot12_request"),
        (10006, "napcat", "unmatched"),
        (1, "napcat", "accepted_async"),
    ],
)
def test_a_number_means_what_it_means_to_the_program_that_answers(
    retcode: int, implementation: Implementation | None, name: str
) -> None:
    assert judge(failed("", retcode), load_rules(), implementation).rule.name == name


def test_the_rules_of_the_operator_come_first() -> None:
    own = Rule.model_validate({"name": "ours", "retcode": [200, [500, 599]], "text": "天有", "verdict": "rejected"})
    assert judge(failed("天有不测风云"), load_rules((own,))).rule is own
    assert judge(ws("天有不测风云"), load_rules((own,))).rule is own  # 1200 is 200
    assert judge(failed("天有不测风云", 550), load_rules((own,))).rule is own
    assert judge(failed("天有不测风云", 100), load_rules((own,))).rule is UNMATCHED


@pytest.mark.parametrize(
    ("rule", "spends"),
    [
        ({"verdict": "retry", "effect": "park"}, False),
        ({"verdict": "retry", "effect": "pause"}, False),
        ({"verdict": "retry", "effect": "park", "waits": ["1s", "2s"]}, True),
        ({"verdict": "retry", "effect": "pause", "after": 3}, True),
        ({"verdict": "retry", "effect": "slow_target"}, True),
        ({"verdict": "retry", "effect": "park", "spends": True}, True),
        ({"verdict": "unknown", "effect": "park"}, True),
        ({"verdict": "retry"}, True),
    ],
)
def test_a_message_loses_no_attempt_to_a_hold_it_is_not_to_blame_for(rule: dict[str, Any], spends: bool) -> None:
    assert Rule.model_validate({"retcode": 200, **rule}).spends is spends


def test_a_rule_that_would_match_everything_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one condition"):
        Rule.model_validate({"verdict": "retry"})


anything = st.one_of(st.none(), st.integers())
words = st.one_of(st.text(), st.sampled_from([answer.text for answer, _, _ in ANSWERS]))
answers = st.builds(
    Answer,
    transport=st.sampled_from(["http", "ws"]),
    error=st.sampled_from([None, "dns", "timeout", "reset", "unparsable"]),
    http_status=anything,
    status=st.one_of(st.none(), st.text(), st.sampled_from(["ok", "failed", "async"])),
    retcode=anything,
    text=st.one_of(words, st.builds(str.__add__, words, words)),
    message_id=anything,
    retry_after=anything,
    nodes=st.booleans(),
)


@given(answers)
def test_every_answer_gets_a_verdict(answer: Answer) -> None:
    ruling = judge(answer, load_rules())
    assert ruling.verdict in Verdict
    if ruling.verdict is Verdict.DELIVERED:
        assert answer.message_id is not None
        assert (answer.status, answer.retcode) == ("ok", 0)
