"""Gateways of other versions: the code of a commit, or this one's with a change made to it, in a folder of its own."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANDED = "d8da54ed971e8de5de4ffb834d4592230da5346c"
"""The last landed version before data and settings had versions."""


def has_landed() -> bool:
    """Return whether this repository has the last landed version."""
    if shutil.which("git") is None:
        return False
    asked = subprocess.run(
        ["git", "-C", str(ROOT), "cat-file", "-e", f"{LANDED}^{{commit}}"], capture_output=True, check=False
    )
    return asked.returncode == 0


def landed(folder: Path) -> Path | None:
    """Put the last landed version into FOLDER and return it; None where this repository does not have its commit."""
    if not has_landed():
        return None
    folder.mkdir(parents=True)
    with subprocess.Popen(
        ["git", "-C", str(ROOT), "archive", "--format=tar", LANDED, "gateway"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as archive:
        subprocess.run(["tar", "x", "-C", str(folder)], stdin=archive.stdout, stderr=subprocess.DEVNULL, check=False)
    return folder if archive.returncode == 0 and (folder / "gateway" / "app.py").exists() else None


def changed(folder: Path, changes: Sequence[tuple[str, str, str]], tree: Path = ROOT) -> Path:
    """Put TREE with CHANGES into FOLDER and return it: (file, what stands there, what is to stand there)."""
    shutil.copytree(tree / "gateway", folder / "gateway", ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in changes:
        file = folder / "gateway" / name
        text = file.read_text("utf-8")
        assert old in text, f"{name} has no {old!r} any more"
        file.write_text(text.replace(old, new), "utf-8")
    return folder


def running(tree: Path) -> dict[str, str]:
    """Return what the environment has to say for the gateway of TREE to run."""
    path = os.pathsep.join([str(tree), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}  # or `-m` would take what lies in the current folder
