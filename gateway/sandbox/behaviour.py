"""What a send meets instead of success: a table of misbehaviours, and the script written with them."""

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, Literal

Step = Literal["send", "throw", "reject", "timeout", "reply", "answer", "reset", "hang"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How NapCat, QQ or the line between treats one send.

    name          the word it was asked for by
    step          `send`: normal, perhaps slow; `throw`: NapCat fails before QQ hears of it; `reject`: QQ
                  refuses; `timeout`: QQ does not confirm in time; `reply`: an envelope is given, whatever it says;
                  `answer`, `reset`, `hang`: the HTTP answer itself is broken
    ms            this much longer than usual before anything is answered
    text          `throw`: the whole message; `reject`: QQ's errMsg
    result        QQ's code; None with `timeout`: the kernel call never returned, `EventRet: {}`
    wait_ms       `timeout`: answer after this long; None: after the call's own `timeout` field (default 10 s)
    late_ms       `timeout`: deliver this long after the answer all the same; None: never
    deliver       `reply`, `answer`, `reset`, `hang`: whether the message is delivered all the same, before
    envelope_status, retcode, message, data   `reply`: the envelope, as it stands on HTTP and WebSocket alike; its
                  status is by default `ok` with retcode 0 and `failed` with any other
    status, content_type, body   `answer`: the HTTP answer; over WebSocket a body with status 200 is the frame
    """

    name: str
    step: Step
    ms: int = 0
    text: str = ""
    result: int | None = 0
    wait_ms: int | None = None
    late_ms: int | None = None
    deliver: bool = False
    envelope_status: str = ""
    retcode: int = 0
    message: str = ""
    data: Any = None
    status: int = 200
    content_type: str = "text/html"
    body: str = ""

    @property
    def replaces_the_answer(self) -> bool:
        """Whether the caller gets something else than what became of the send, or nothing."""
        return self.step in ("reply", "answer", "reset", "hang")


FORBIDDEN = '{"message":"token verify failed!"}'
_BAD_GATEWAY = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)

# The errMsg of 46, 241 and 299 is on no record (NAPCAT.md §2.2 B), so it is empty: the code has to be enough.
BEHAVIOURS = {
    behaviour.name: behaviour
    for behaviour in (
        Behaviour("normal", "send"),
        Behaviour("delay", "send", ms=1_000),
        Behaviour("reject", "reject", result=1),
        Behaviour("mute", "reject", result=120, text="你已被禁言，消息无法发送。"),
        Behaviour("kick", "reject", result=110, text="发送失败，你已被移出该群，请重新加群。"),
        Behaviour("rate", "reject", result=299),
        Behaviour("too_fast", "reject", result=241),
        Behaviour("restricted", "reject", result=46),
        Behaviour("offline_session", "reject", result=1006514, text="网络连接异常!"),
        Behaviour("offline", "reject", result=1006514, text="网络连接异常!"),
        Behaviour("rich_media", "reject", result=-1, text="rich media transfer failed"),
        Behaviour("risk", "timeout"),
        Behaviour("timeout", "timeout"),
        Behaviour("timeout_late", "timeout", late_ms=1_000),
        Behaviour("timeout_empty", "timeout", result=None),
        Behaviour("throw", "throw", text="未知错误，可能操作超时"),
        Behaviour("server_closed", "throw", text="Server is closed"),
        Behaviour("download_failed", "throw", text="下载文件失败: Service Unavailable"),
        Behaviour("unknown_user", "throw", text="无法获取用户信息"),
        Behaviour("reply", "reply"),
        Behaviour("forbidden", "answer", status=403, body=FORBIDDEN),
        Behaviour("bad_gateway", "answer", status=502, body=_BAD_GATEWAY),
        Behaviour("garbage", "answer", content_type="application/json", body='{"status":"ok","retco'),
        Behaviour("raw", "answer"),
        Behaviour("reset", "reset"),
        Behaviour("hang", "hang"),
    )
}
NORMAL = BEHAVIOURS["normal"]


@dataclass(slots=True)
class _Turn:
    behaviour: Behaviour
    left: int | None


class Script:
    """The misbehaviours asked for: a target's own are played first, in the order given, then those of `*`."""

    def __init__(self) -> None:
        """Begin with an account where all goes well."""
        self._turns: defaultdict[str, list[_Turn]] = defaultdict(list)

    def behave(self, target: str, name: str, times: int | None, options: dict[str, Any]) -> None:
        """Add a misbehaviour for `times` sends (None: until cleared); it ends an endless one before it.

        Raises ValueError for an unknown name and TypeError for an unknown option.
        """
        if name not in BEHAVIOURS:
            raise ValueError(f"{name!r} is no behaviour; there are {', '.join(BEHAVIOURS)}")
        turns = [turn for turn in self._turns[target] if turn.left is not None]
        self._turns[target] = [*turns, _Turn(replace(BEHAVIOURS[name], **options), times)]

    def clear(self, target: str | None = None, name: str | None = None) -> None:
        """End the misbehaviours of one target or of all, or only those of one name."""
        for key in [target] if target is not None else list(self._turns):
            self._turns[key] = [turn for turn in self._turns[key] if name not in (None, turn.behaviour.name)]

    def is_on(self, target: str, name: str) -> bool:
        """Tell whether a misbehaviour of this name is waiting for the target's sends."""
        return any(turn.behaviour.name == name for turn in self._turns.get(target, ()))

    def take(self, target: str) -> Behaviour:
        """Return what the next send to the target meets, and count it."""
        for key in (target, "*"):
            turns = self._turns.get(key)
            if turns:
                turn = turns[0]
                if turn.left is not None:
                    turn.left -= 1
                    if turn.left < 1:
                        turns.pop(0)
                return turn.behaviour
        return NORMAL
