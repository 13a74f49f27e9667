"""The lines of a file of jobs, read a few at a time, each with a key by which it is known again."""

import asyncio
import hashlib
import os
import stat
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

from gateway.convert import parse_document
from gateway.model.errors import Refused

LONGEST = 8 << 20
"""Bytes of a line; gateways take no larger jobs unless told otherwise."""
_CHUNK = 256 << 10
_AT_ONCE = 200  # lines handed on together: few enough that a bar moves
_AT_ONCE_BYTES = 1 << 20


class Line(NamedTuple):
    """One line: where it stands, what it says, and the job in it, or why it is none."""

    number: int
    raw: bytes
    job: dict[str, Any] | Refused
    has_key: bool


class Lines:
    """Reads jobs, one a line; blank lines are passed over.

    A job without a key gets one made of the line itself, of RUN, and of how many equal lines stand before it. So the
    same line has the same key each time the file is read, also after other lines were added, mended or taken out, and
    two equal lines of one file are two jobs. For this some hundred bytes are kept of every such line.
    """

    def __init__(self, file: int, run: str) -> None:
        """Read from the file descriptor FILE, from where it stands."""
        self._file = file
        self._run = run
        self._equal: Counter[int] = Counter()
        self._rest = bytearray()
        self._too_long = False
        self._number = 0

    @property
    def size(self) -> int | None:
        """Return the bytes of the file; None of what is no file, where nobody knows."""
        told = os.fstat(self._file)
        return told.st_size if stat.S_ISREG(told.st_mode) else None

    async def bundles(self) -> AsyncIterator[list[Line]]:
        """Yield lines as they come, up to two hundred together; those of a pipe do not wait for more."""
        live = self.size is None
        bundle: list[Line] = []
        size = 0
        while True:
            chunk = await self._chunk(live)
            for line in self._taken(chunk):
                bundle.append(line)
                size += len(line.raw)
                if len(bundle) >= _AT_ONCE or size >= _AT_ONCE_BYTES:
                    yield bundle
                    bundle, size = [], 0
            if bundle and (live or not chunk):
                yield bundle
                bundle, size = [], 0
            if not chunk:
                return

    async def _chunk(self, live: bool) -> bytes:
        """Return what comes next, nothing at the end; a pipe is waited for in a way that Ctrl-C can end."""
        if live:
            loop, ready = asyncio.get_running_loop(), asyncio.Event()
            try:
                loop.add_reader(self._file, ready.set)
            except (OSError, NotImplementedError):  # such as /dev/null, which never has to be waited for
                ready.set()
            try:
                await ready.wait()
            finally:
                loop.remove_reader(self._file)
        return os.read(self._file, _CHUNK)

    def _taken(self, chunk: bytes) -> Iterator[Line]:
        """Yield the lines that CHUNK completes; at the end, when it is empty, also one without a line break."""
        self._rest += chunk
        *whole, rest = self._rest.split(b"\n")
        if not chunk:
            whole, rest = [*whole, rest], bytearray()
        for raw in whole:
            self._number += 1
            if self._too_long or len(raw) > LONGEST:
                self._too_long = False
                yield Line(
                    self._number, b"", Refused("too_large", f"a line has at most {LONGEST} bytes"), has_key=False
                )
            elif text := bytes(raw).strip():
                yield self._line(text)
        if len(rest) > LONGEST:
            self._too_long, rest = True, bytearray()
        self._rest = rest

    def _line(self, text: bytes) -> Line:
        try:
            job = parse_document(text)
        except Refused as refusal:
            return Line(self._number, text, refusal, has_key=False)
        if job.get("key") is not None:
            return Line(self._number, text, job, has_key=True)
        digest = hashlib.sha256(self._run.encode("utf-8", "surrogateescape") + b"\0" + text).digest()[:16]
        mark = int.from_bytes(digest[:8], "big")
        self._equal[mark] += 1
        return Line(self._number, text, {**job, "key": f"line-{digest.hex()}-{self._equal[mark]}"}, has_key=False)
