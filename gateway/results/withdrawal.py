"""`DELETE /v1/jobs/{id}`: cancelling what was not sent, and taking back what was."""

from collections.abc import Mapping

from aiohttp import web

from gateway.lanes.recall import Recaller
from gateway.model.errors import Fault, Refused
from gateway.model.identity import JobId
from gateway.model.receipt import FINAL_STATES, Receipt
from gateway.results.receipts import Receipts, job_not_found
from gateway.store.bell import Bell
from gateway.store.scripts import Scripts
from gateway.store.values import TickPolicy
from gateway.web import problem


class Withdrawal:
    """Cancels jobs, and has NapCat take back their messages."""

    def __init__(
        self, policies: Mapping[str, TickPolicy], scripts: Scripts, receipts: Receipts, recaller: Recaller, bell: Bell
    ) -> None:
        """Find the job by RECEIPTS; ring the BELL when its lane may go on."""
        self._policies = policies
        self._scripts = scripts
        self._receipts = receipts
        self._recaller = recaller
        self._bell = bell

    async def delete(self, request: web.Request) -> web.Response:
        """Answer the receipt of the cancelled job, or 409 when something may have been sent.

        With `?recall=true` what was delivered of it is taken back at QQ, once it has ended: `recalled_at` is in the
        receipt then; 502 when NapCat would not.
        """
        recall = _recall_of(request)
        known = await self._receipts.of(request)
        if known is None:
            return job_not_found()
        job, receipt, _ = known
        if not (recall and receipt.message_ids and receipt.state in FINAL_STATES):
            return await self._cancel(job, receipt)
        return await self._take_back(job, receipt)

    async def _cancel(self, job: JobId, receipt: Receipt) -> web.Response:
        cancelled = await self._scripts.cancel(job.account, self._policies[job.account], job.token)
        if cancelled is None or not cancelled.done:
            state = cancelled.state if cancelled else receipt.state
            why = "something of it may have been sent; wait until it has ended"
            if state in FINAL_STATES:
                why = (
                    "with ?recall=true what was delivered is taken back"
                    if receipt.message_ids
                    else "nothing of it was sent"
                )
            return problem(409, "too_late", f"the job is {state}: {why}")
        await self._bell.ring([job.account])
        return await self._receipt(job)

    async def _take_back(self, job: JobId, receipt: Receipt) -> web.Response:
        for place, message_id in enumerate(receipt.message_ids):
            sent = await self._scripts.whose(job.account, message_id)
            if sent is None:
                return problem(409, "too_late", "it was sent more than a day ago; QQ takes back only what is new")
            if sent.recalled:
                continue
            recall = await self._recaller.recall(job.account, receipt.target, job.token, message_id)
            if not recall.done:
                done = f"{place} of {len(receipt.message_ids)} messages were taken back; " if place else ""
                return problem(502, "recall_failed", f"{done}NapCat would not take it back: {recall.words}")
        return await self._receipt(job)

    async def _receipt(self, job: JobId) -> web.Response:
        document = await self._scripts.read(*job)
        return web.Response(body=document, content_type="application/json") if document else job_not_found()


def _recall_of(request: web.Request) -> bool:
    text = request.query.get("recall", "false")
    if text not in {"true", "false"}:
        raise Refused("query_invalid", "recall cannot be used", [Fault("query.recall", "give true or false", "bool")])
    return text == "true"
