"""A format 2 that nobody needs: what a next version changes when it changes the format, and nothing else."""

from pathlib import Path

from tests.upgrade.trees import changed

CASTS = """local CASTS = {
  [2] = {
    up = function(job) job.about, job.metadata = job.metadata, nil end,
    down = function(job) job.metadata, job.about = job.about, nil end,
  },
}
"""
CHANGES = [
    ("store/format.py", "\nFORMAT = 1\n", "\nFORMAT = 2\n"),
    ("store/lua/included/format.lua", "local CASTS = {}\n", CASTS),
    ("store/lua/raise.lua", "local STEPS = {}", "local STEPS = {[2] = function() redis.call('DEL', UNMATCHED) end}"),
    # What a job says of itself is called otherwise in its record from now on.
    ("store/lua/included/receipts.lua", "job.metadata", "job.about"),
    ("store/lua/included/ends.lua", "job.metadata", "job.about"),
    ("store/lua/admit.lua", "setmetatable(", "job.about, job.metadata = job.metadata, nil\n  setmetatable("),
    # A test has no half minute.
    ("store/raising.py", "SETTLED_S = 30.0", "SETTLED_S = 0.5"),
]  # fmt: skip


def second_format(folder: Path) -> Path:
    """Put a gateway into FOLDER that knows format 2, and return it."""
    return changed(folder, CHANGES)
