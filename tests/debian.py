"""Programs of other projects, as installed, or out of Debian's packages."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run COMMAND in FOLDER, for half a minute at most, and return what came of it."""
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=25, check=False, text=True)


def program_of(package: str, name: str, folder: Path) -> Path:
    """Return the program NAME, as installed, or out of PACKAGE, which is unpacked into FOLDER; skip where it is not."""
    if (found := shutil.which(name)) is not None:
        return Path(found)
    program = unpacked(package, folder) / "usr" / "bin" / name
    if not program.exists():
        pytest.skip(f"there is no {name} here, and apt-get cannot fetch {package}")
    return program


def unpacked(package: str, folder: Path) -> Path:
    """Return FOLDER with what is in PACKAGE, installed or not; skip where it cannot be fetched."""
    fetch = ["apt-get", "download", package]
    try:
        if run(fetch, folder).returncode and os.geteuid() == 0:
            run(["apt-get", "update", "--quiet"], folder)
            run(fetch, folder)
        for file in folder.glob("*.deb"):
            run(["dpkg", "-x", str(file), str(folder)], folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{package} cannot be fetched: {error}")
    return folder
