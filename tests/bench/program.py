"""A program that is run to its end, and ends with whoever waits for it."""

import asyncio
import sys


async def said(*words: object, deadline: float) -> bytes:
    """Run a program to its end and return what it printed.

    Raises TimeoutError at the DEADLINE (s), and RuntimeError with its last complaint when it failed.
    """
    process = await asyncio.create_subprocess_exec(
        *map(str, words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(deadline):
            out, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = (complaints.decode(errors="replace").strip() or "without a word").splitlines()[-1]
        raise RuntimeError(f"{words[0]} {words[1]} {words[2]} failed: {last}")
    return out


async def ours(module: str, *words: object, deadline: float) -> bytes:
    """Do the same with a module of the measurements."""
    return await said(sys.executable, "-m", f"tests.bench.{module}", *words, deadline=deadline)
