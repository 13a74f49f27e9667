"""What the processes of one gateway settle among themselves: who reads a source, who listens, and who lives."""

from typing import Literal

from gateway.store.scripts.runner import ScriptRunner

Role = Literal["reader", "listener"]
"""What one replica at a time does, by a lease: read a source, listen to the events of an account."""


class ProcessScripts(ScriptRunner):
    """What one process asks for on behalf of all."""

    async def lease(self, role: Role, of: str, holder: str, milliseconds: int) -> bool:
        """Take or renew the lease of the one reader OF a source, or listener OF an account; 0 ms give it back.

        Return whether HOLDER has it; nobody listens here for an account of which the data are of a newer format.
        """
        if role == "listener" and of in self.newer:
            milliseconds = 0
        key = self._keys.reader(of) if role == "reader" else self._keys.listener(of)
        return bool(await self._run("lease", [key], [holder, milliseconds]))

    async def secured(self, source: str, holder: str, milliseconds: int) -> bool:
        """Return whether HOLDER is still to admit what it has read of SOURCE; the lease is renewed.

        What was read may lie in another slot than the jobs it becomes: were it, or that something was taken out before,
        forgotten by a failover there, the mark of what was admitted would look as if it were of another stream.
        """
        if self._replication is None:
            return True
        async with self._turn(source):
            return bool(await self._run("lease", [self._keys.reader(source)], [holder, milliseconds], relied_by=source))

    async def move(self, source: str, most: int) -> int:
        """Move up to MOST entries of a list into its stream; return how many."""
        moved: int = await self._run("move", [source, self._keys.list_stream(source)], [most])
        return moved

    async def forget(self, account: str, source: str, mark: str) -> bool:
        """Reset the MARK of SOURCE in ACCOUNT; return whether it was still this one."""
        return bool(await self._account("forget", account, [source, mark]))

    async def present(self, replica: str, told: str, seconds: int) -> None:
        """Say that REPLICA lives, and what it TOLD of itself (JSON; "": it ends); after SECONDS it is forgotten."""
        await self._run("presence", [self._keys.replicas], [replica, told, seconds * 1000])

    async def raise_format(self, account: str) -> None:
        """Raise the data of ACCOUNT to the newest format: every replica that lives has to know it."""
        await self._account("raise", account, [])
