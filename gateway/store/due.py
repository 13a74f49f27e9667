"""The accounts that may have a callback due: noted by whatever ends a job, taken by what posts callbacks."""

import asyncio


class Due:
    """Those noted since they were last taken."""

    def __init__(self) -> None:
        """Start with none."""
        self._accounts: set[str] = set()
        self._noted = asyncio.Event()

    def note(self, account: str) -> None:
        """Let who waits know that ACCOUNT may have one."""
        self._accounts.add(account)
        self._noted.set()

    def wake(self) -> None:
        """Let who waits look, though nothing is new."""
        self._noted.set()

    def take(self) -> set[str]:
        """Return the accounts that were noted, and forget them."""
        taken, self._accounts = self._accounts, set()
        self._noted.clear()
        return taken

    async def wait(self, seconds: float) -> None:
        """Return as soon as an account is noted, at the latest after SECONDS."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._noted.wait()
        except TimeoutError:
            pass
