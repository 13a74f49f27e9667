"""OneBot actions that send nothing: passed through to an account's NapCat, and its answer passed back."""

import asyncio
from collections.abc import Callable, Mapping

from gateway.intake.onebot.answer import Envelope, envelope, passed
from gateway.intake.onebot.call import Call
from gateway.model.action import HARMLESS, Ask
from gateway.model.errors import Refused
from gateway.web import reaches_all

_LIMIT_S = 10.0


class PassThrough:
    """Asks NapCat what a client wants to know, one call at a time for each account: sending comes first."""

    def __init__(self, actions: tuple[str, ...], asks: Mapping[str, Ask], clean: Callable[[str], str]) -> None:
        """Pass ACTIONS to the accounts that ASKS reach, the first being the default; CLEAN makes words presentable."""
        self._actions = frozenset(actions)
        self._asks = asks
        self._clean = clean
        self._turns = {account: asyncio.Lock() for account in asks}

    async def __call__(self, call: Call) -> Envelope | None:
        """Return the answer of NapCat, of the first account where CALL names none; None when its action is not passed.

        A key that reaches only some targets gets only what names no chat. Raises Refused for the rest.
        """
        if call.action not in self._actions:
            return None
        if not reaches_all(call.key) and call.action not in HARMLESS:
            reason = f"this key is limited to some targets, and {call.action} is not; see auth.keys[].targets"
            raise Refused("target_forbidden", reason)
        name = call.account or next(iter(self._asks))
        try:
            async with asyncio.timeout(_LIMIT_S), self._turns[name]:
                answer, data = await self._asks[name](call.action, call.params, round(_LIMIT_S * 1000))
        except TimeoutError:
            return envelope("failed", 200, None, f"NapCat did not answer within {_LIMIT_S:.0f} s", call.echo)
        return passed(answer, data, self._clean(answer.text), call.echo)
