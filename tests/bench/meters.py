"""What processes of this machine have used."""

import os
import time
from pathlib import Path

_WHOLE_PROCESS = 2  # the kind of a process' CPU clock that counts run time to the nanosecond: clock_getcpuclockid(3)


def cpu(pid: int) -> float:
    """Return the seconds of CPU the process has used, in user and system mode, all its threads together."""
    return time.clock_gettime(~pid << 3 | _WHOLE_PROCESS)


def memory(pid: int) -> int:
    """Return the bytes of memory the process holds right now (RSS)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
