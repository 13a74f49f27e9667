"""The actions the stand-in knows, by name (NAPCAT.md §3, §5)."""

from collections.abc import Callable
from typing import Any

from gateway.sandbox.behaviour import NORMAL, Behaviour, Script
from gateway.sandbox.events import Publisher, number, own_message, recall
from gateway.sandbox.kernel import Kernel, pause
from gateway.sandbox.message import address, check, convert, send_kind
from gateway.sandbox.tasks import Tasks
from gateway.sandbox.wire import ActionError

Body = dict[str, Any]
UNKNOWN_ACTION = "不支持的Api"
_TIMEOUT_MS = 10_000
_LONGEST_MS = 1_800_000


class Actions:
    """Runs one action for an adapter: returns the envelope's `data` or raises `ActionError`."""

    def __init__(
        self, self_id: str, kernel: Kernel, script: Script, tasks: Tasks, publisher: Publisher, app_name: str
    ) -> None:
        """Take the account and what its actions act on."""
        self._self_id = self_id
        self._kernel = kernel
        self._script = script
        self._tasks = tasks
        self._publisher = publisher
        self._table: dict[str, Callable[[Body], Any]] = {
            "get_status": self._status,
            "get_login_info": lambda _: {"user_id": number(self_id), "nickname": "NapCat"},
            "get_version_info": lambda _: {
                "app_name": app_name, "protocol_version": "v11", "app_version": "4.18.19",
            },
            "can_send_image": lambda _: {"yes": True},
            "can_send_record": lambda _: {"yes": True},
            "get_group_msg_history": lambda body: self._history(f"group:{body.get('group_id')}", body),
            "get_friend_msg_history": lambda body: self._history(f"private:{body.get('user_id')}", body),
            "get_group_member_info": self._member,
            "get_msg": self._get,
            "delete_msg": self._delete,
        }  # fmt: skip

    @property
    def is_online(self) -> bool:
        """What `get_status` and the heartbeat say."""
        return not self._script.is_on("*", "offline")

    async def run(self, action: str, body: Body, met: Behaviour = NORMAL) -> Any:
        """Run an action; a send meets the given behaviour."""
        kind = send_kind(action)
        if kind is not None:
            return await self._send(kind, body, met)
        if action not in self._table:
            raise ActionError(f"{UNKNOWN_ACTION} {action}")
        return self._table[action](body)

    async def _send(self, kind: str, body: Body, met: Behaviour) -> Body:
        if met.step == "throw":
            await pause(met.ms)
            raise ActionError(met.text)
        segments = check(body)
        target = address(kind, body)
        message = convert(
            segments,
            private=target.startswith("private:"),
            is_known=lambda message_id: self._kernel.find(message_id) is not None,
        )
        forward = message[0]["type"] == "node"
        wait_ms = _TIMEOUT_MS if forward else _wait_ms(body.get("timeout"))
        sent = await self._kernel.send(target, message, wait_ms, met)
        data: Body = {"message_id": sent.message_id}
        if forward:
            data["res_id"] = data["forward_id"] = f"sandbox-{sent.message_id}"
        return data

    def _status(self, _: Body) -> Body:
        return {"online": self.is_online, "good": True, "stat": {}}

    def _history(self, target: str, body: Body) -> Body:
        sent = self._kernel.history.get(target)
        if not sent:
            raise ActionError("消息undefined不存在")
        count = max(1, int(body.get("count") or 20))
        return {"messages": [own_message(each, self._self_id) for each in list(sent)[-count:]]}

    def _member(self, body: Body) -> Body:
        group, user = str(body.get("group_id")), str(body.get("user_id"))
        return {
            "group_id": number(group),
            "user_id": number(user),
            "nickname": "NapCat" if user == self._self_id else user,
            "card": "",
            "role": "member",
            "shut_up_timestamp": self._kernel.shut_up_until(group) if user == self._self_id else 0,
        }

    def _get(self, body: Body) -> Body:
        sent = self._kernel.find(body.get("message_id"))
        if sent is None:
            raise ActionError("消息不存在")
        return own_message(sent, self._self_id)

    def _delete(self, body: Body) -> None:
        sent = self._kernel.find(body.get("message_id"))
        if sent is None:
            raise ActionError("Recall failed")
        self._kernel.recall(sent)
        if self._publisher.is_heard:
            self._tasks.own(self._publisher.publish(recall(self._self_id, sent)), "recall")


def _wait_ms(asked: Any) -> float:
    """Return how long NapCat waits for QQ: its own `timeout` when positive, else 10 s (§3.3)."""
    try:
        wait_ms = float(asked)
    except (TypeError, ValueError):
        return _TIMEOUT_MS
    return min(wait_ms, _LONGEST_MS) if wait_ms > 0 else _TIMEOUT_MS
