"""`python -m tests.fuzz`: every check of schemathesis against a running gateway, bounded and always the same."""

import asyncio
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from tests.world import world

KEY = "fuzz"
HERE = Path(__file__).parent
KEYS = [{"name": "fuzz", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "scopes": ["send", "read", "admin"]}]


async def fuzz(options: list[str]) -> int:
    """Return the exit code of schemathesis: 0 when it found nothing."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with world(Path(folder)) as made:
            gateway = await made.gateway(auth={"keys": KEYS}, onebot={"wait": "200ms"})
            command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
            command += ["run", f"{gateway.url}/openapi.json", *options]
            environment = {
                **os.environ,
                "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
                "PYTHONPATH": os.getcwd(),
                "FUZZ_KEY": KEY,
            }
            process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=folder)
            return await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(fuzz(sys.argv[1:])))
