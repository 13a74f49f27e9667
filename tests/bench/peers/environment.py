"""The environments the peers run in: made on demand, each with versions of its own, and kept in the cache folder.

They are no dependency of the gateway, and arq and taskiq want different versions of the Redis client.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench.program import said

PACKAGES = {
    "arq": ("arq==0.28.0", "redis[hiredis]==5.3.1"),
    "taskiq": ("taskiq==0.13.0", "taskiq-redis==1.2.4", "redis[hiredis]==8.1.0", "orjson==3.13.0"),
}
_EVERY = ("aiohttp==3.14.5", "uvloop==0.23.0")
_LONGEST_S = 180.0


async def python_of(peer: str) -> Path:
    """Return the interpreter of PEER's environment, after making it where there is none.

    Raises RuntimeError where its packages cannot be installed.
    """
    packages = [*PACKAGES[peer], *_EVERY]
    fingerprint = hashlib.sha256(" ".join([sys.version, *packages]).encode()).hexdigest()[:12]
    folder = _cache() / f"{peer}-{fingerprint}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            await _make(making, packages)
            shutil.move(making, folder)  # only a whole one has the name
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return folder / "bin" / "python"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "napcat-gateway" / "bench"


async def _make(folder: Path, packages: list[str]) -> None:
    outside = Path(sys.base_prefix) / "bin" / "python3"  # our own environment may have no pip
    try:
        await said(outside, "-m", "venv", "--without-pip", folder, deadline=_LONGEST_S)
        await said(
            *(outside, "-m", "pip", "--python", folder / "bin" / "python", "install", "-q", *packages),
            deadline=_LONGEST_S,
        )
    except (RuntimeError, TimeoutError) as error:
        raise RuntimeError(f"the peers cannot be installed ({error}); --no-peers goes without them") from error
