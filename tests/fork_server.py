"""`gateway …` as a fork of one process that has imported everything: tests start hundreds, and most cost is imports.

`python -m tests.fork_server FD` takes requests from the socket FD until its other end is closed, and ends with all its
children. A request is a byte with four descriptors: a socket, and what becomes stdin, stdout and stderr. Through the
socket the child is told, in a line of JSON, its `words`, its `environ`, its `folder` and how many `files` it may open;
it answers `pid …` when it is about to begin, and `ended …` follows with its exit code, or the number of the signal that
ended it below zero. A child whose socket is closed meanwhile is killed.
"""

import atexit
import gc
import json
import os
import resource
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path


class _Forks:
    """Forks children and tells how they ended; one thread, no loop: nothing a child could inherit half done."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._lines: dict[int, socket.socket] = {}  # of the children that run, by their process ids
        self._woken, self._wakes = socket.socketpair()
        self._poll = select.poll()

    def serve(self) -> list[str] | None:
        """Serve until the other end is closed, and return None; in each child, return its words."""
        self._woken.setblocking(False)
        self._wakes.setblocking(False)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which lets this one go
        for one in (self._control, self._woken):
            self._poll.register(one, select.POLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._woken.fileno():
                    self._woken.recv(4096)
                elif descriptor != self._control.fileno():
                    self._hung_up(descriptor)
                else:
                    asked, descriptors, _, _ = socket.recv_fds(self._control, 1, 4)
                    if not asked:
                        self._end()
                        return None
                    words = self._fork(*descriptors)
                    if words is not None:
                        return words
            self._reap()

    def _fork(self, told: int, *stdio: int) -> list[str] | None:
        """Return None here, and in the child, once it is what was asked for, its words."""
        line = socket.socket(fileno=told)
        pid = os.fork()
        if pid == 0:
            return self._become(line, stdio)
        for descriptor in stdio:
            os.close(descriptor)
        self._lines[pid] = line
        self._poll.register(line, 0)  # to see that it was closed: what it says is for the child
        return None

    def _become(self, line: socket.socket, stdio: tuple[int, ...]) -> list[str]:
        """Make this fork what a process of its own would be before its first line; return its words."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        from gateway.store.embedded import die_with_parent

        die_with_parent()
        for other in (self._control, self._woken, self._wakes, *self._lines.values()):
            other.close()
        for target, descriptor in enumerate(stdio):
            os.dup2(descriptor, target)
        # Afresh, because the old ones remember what their files could do.
        sys.stdin = os.fdopen(0, encoding=sys.stdin.encoding, errors=sys.stdin.errors, closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, closefd=False)
        sys.stderr = os.fdopen(2, "w", 1, encoding=sys.stderr.encoding, errors=sys.stderr.errors, closefd=False)
        with line, line.makefile() as told:
            request = json.loads(told.readline())
            os.chdir(request["folder"])
            resource.setrlimit(resource.RLIMIT_NOFILE, tuple(request["files"]))
            os.environ.clear()
            os.environ.update(request["environ"])
            line.sendall(b"pid %d\n" % os.getpid())
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        words: list[str] = request["words"]
        return words

    def _hung_up(self, descriptor: int) -> None:
        """Kill the child whose test is gone."""
        for pid, line in self._lines.items():
            if line.fileno() == descriptor:
                self._poll.unregister(line)
                os.kill(pid, signal.SIGKILL)

    def _reap(self, flags: int = os.WNOHANG) -> None:
        """Tell of the children that have ended."""
        while self._lines:
            pid, status = os.waitpid(-1, flags)
            if pid == 0:
                return
            with self._lines.pop(pid) as line, suppress(KeyError, OSError):  # nobody asks any more
                self._poll.unregister(line)
                line.sendall(b"ended %d\n" % os.waitstatus_to_exitcode(status))

    def _end(self) -> None:
        for pid in self._lines:
            os.kill(pid, signal.SIGKILL)
        self._reap(0)


class _End:
    """Ends a child after all that Python does at the end except taking apart what was imported: that costs more CPU
    than most commands."""

    def __init__(self) -> None:
        """What is registered first is called last."""
        self.code: int | None = None
        atexit.register(self._at_once)

    def _at_once(self) -> None:
        if self.code is None:
            return
        with suppress(OSError):  # of which Python has to tell
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.code)


def main() -> None:
    """Import all commands and serve; return as a child that has ended its command, or when nobody asks any more."""
    end = _End()
    for file in Path(__file__).parents[1].glob("gateway/cli/[!_]*.py"):
        import_module(f"gateway.cli.{file.stem}")
    import_module("uvloop")
    gc.collect()
    gc.freeze()
    words = _Forks(socket.socket(fileno=int(sys.argv[1]))).serve()
    if words is None:
        return
    sys.argv = ["gateway", *words]
    try:
        runpy.run_module("gateway", run_name="__main__", alter_sys=True)  # as `python -m gateway` does
    except SystemExit as exited:
        if exited.code is None or isinstance(exited.code, int):
            end.code = exited.code or 0
        raise


if __name__ == "__main__":
    main()
