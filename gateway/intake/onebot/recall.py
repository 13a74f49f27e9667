"""OneBot's `delete_msg`: takes back what this gateway sent, and nothing else."""

from collections.abc import Sequence

from gateway.intake.onebot.answer import Envelope, envelope, passed
from gateway.intake.onebot.call import Call
from gateway.intake.onebot.reading import Fields
from gateway.lanes.recall import Recaller
from gateway.model.errors import Fault, Refused
from gateway.model.spelling import LARGEST_INTEGER
from gateway.store.scripts.readings import ReadingScripts
from gateway.web import may_use


class RecallAction:
    """Serves `delete_msg` for messages of today and yesterday; QQ itself takes back only what is minutes old."""

    def __init__(self, scripts: ReadingScripts, recaller: Recaller, accounts: Sequence[str]) -> None:
        """Look for the message in the account the path names, else in each of ACCOUNTS."""
        self._scripts = scripts
        self._recaller = recaller
        self._accounts = accounts

    async def __call__(self, call: Call) -> Envelope:
        """Return what NapCat answers, or why it was not asked; raises Refused when `message_id` is none."""
        message_id = _message_id(call.fields)
        for name in [call.account] if call.account else self._accounts:
            sent = await self._scripts.whose(name, message_id)
            # A message of another key's target is as if it were not there.
            if sent is None or not may_use(call.key, sent.target):
                continue
            if sent.recalled:
                return envelope("ok", 0, None, "", call.echo)
            recall = await self._recaller.recall(name, sent.target, sent.job_id, message_id)
            if recall.answer is None:
                return envelope("failed", 200, None, recall.words, call.echo)
            return passed(recall.answer, None, recall.words, call.echo)
        told = f"message {message_id} was not sent by this gateway today or yesterday; only what it sent is taken back"
        return envelope("failed", 200, None, told, call.echo)


def _message_id(fields: Fields) -> int:
    given = fields.get("message_id")
    text = str(given) if isinstance(given, int | str) and not isinstance(given, bool) else ""
    digits = text.strip().removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 16 and int(digits) <= LARGEST_INTEGER):
        fault = Fault("message_id", "give the id that the send was answered with", "message_id")
        raise Refused("call_invalid", "delete_msg takes message_id", [fault])
    return int(text)
