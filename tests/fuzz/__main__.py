"""`python -m tests.fuzz`: every check of schemathesis against a running gateway, bounded, from the same seed each time.

What is given after it goes to schemathesis: `--include-operation-id submitJob`, `--phases fuzzing`, `-n 1000`, …
"""

import asyncio
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from gateway.telemetry import configure_logging
from tests.world import SECRET, world

KEY = "fuzz"
LONGEST_S = 240.0
HERE = Path(__file__).parent
ROOT = HERE.parent.parent


async def fuzz(options: list[str]) -> int:
    """Return the exit code of schemathesis: 0 when it found nothing; it is ended when it takes too long."""
    configure_logging("error", "json")
    keys = [
        {"name": KEY, "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "scopes": ["send", "read", "admin"]},
    ]
    given = {"SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "FUZZ_KEY": KEY, "FUZZ_EVENTS_SECRET": SECRET}
    environment = {**os.environ, **given, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as folder:
        async with world(Path(folder)) as made:
            # Answers of the drop-in come soon, though targets are parked meanwhile.
            gateway = await made.gateway(auth={"keys": keys}, onebot={"wait": "20ms"})
            command = ["-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
            command += [f"{gateway.url}/openapi.json", *options]
            process = await asyncio.create_subprocess_exec(sys.executable, *command, env=environment, cwd=folder)
            try:
                async with asyncio.timeout(LONGEST_S):
                    return await process.wait()
            except TimeoutError:
                sys.stderr.write(f"it did not end within {LONGEST_S:.0f} s\n")
                return 1
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(fuzz(sys.argv[1:])))
