"""Programs of other projects, as installed, or out of Debian's packages."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run COMMAND in FOLDER, for half a minute at most, and return what came of it."""
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=25, check=False, text=True)


def program_of(package: str, name: str, folder: Path, *libraries: str) -> Path:
    """Return the program NAME, as installed, or out of PACKAGE, which is unpacked into FOLDER; skip where it is not.

    LIBRARIES are packages that are unpacked beside it.
    """
    if (found := shutil.which(name)) is not None:
        return Path(found)
    unpacked(package, folder, *libraries)
    for place in ("usr/bin", "usr/sbin"):
        if (program := folder / place / name).exists():
            return program
    pytest.skip(f"there is no {name} here, and apt-get cannot fetch {package}")


def unpacked(package: str, folder: Path, *others: str) -> Path:
    """Return FOLDER with what is in PACKAGE and OTHERS, installed or not; what cannot be fetched is not in it."""
    fetch = ["apt-get", "download", package, *others]
    try:
        if run(fetch, folder).returncode and os.geteuid() == 0:
            run(["apt-get", "update", "--quiet"], folder)
            run(fetch, folder)
        for file in folder.glob("*.deb"):
            run(["dpkg", "-x", str(file), str(folder)], folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{package} cannot be fetched: {error}")
    return folder
