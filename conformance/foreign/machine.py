"""What foreign code does to the machine that it runs on: files, programs, signals, connections.

A driver under test has simulated hosts for that. What it tries on this machine is refused, as if it had no
permission, and told. The interpreter itself says what is about to be done (PEP 578), by whatever name and in
whichever library; what leads to a simulated host never gets there. The directory for temporary files is free.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import threading  # noqa: TID251 (to know those that are none of the driver's)
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_IN_THE_WORKING_DIRECTORY = -1


class Machine:
    """Between `enter` and `leave` a driver is at work. `deeds` has what it tried, in sentences without a
    subject.

    Only the thread that made this object is watched, and those that were started after it.
    """

    def __init__(self) -> None:
        self.deeds: list[str] = []
        self._depth = 0
        self._others = {each.native_id for each in threading.enumerate()} - {threading.get_native_id()}

    def enter(self) -> None:
        """A call of a driver begins; maybe in the middle of another one."""
        self._depth += 1

    def leave(self) -> None:
        """It ends."""
        self._depth -= 1

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """PermissionError if that is none of a driver's business."""
        if not self._depth or (told := _DEEDS.get(event)) is None or threading.get_native_id() in self._others:
            return
        if deed := told(*arguments):
            self.deeds.append(deed)
            raise PermissionError(errno.EPERM, f"a driver under test {deed}")


@contextmanager
def watched() -> Iterator[Machine]:
    """While this lasts, drivers keep their hands off this machine; the working directory is put back."""
    # Whoever asks first tries the directory out, by writing there.
    tempfile.gettempdir()
    directory = os.getcwd()
    auditor = _auditor()
    outer, auditor.machine = auditor.machine, Machine()
    try:
        yield auditor.machine
    finally:
        auditor.machine = outer
        os.chdir(directory)


class _Auditor:
    """What the interpreter tells, for as long as it lives: nobody can stop listening."""

    machine: Machine | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.machine is not None:
            self.machine.audit(event, arguments)


@cache
def _auditor() -> _Auditor:
    auditor = _Auditor()
    sys.addaudithook(auditor)
    return auditor


# ------------------------------------------------------------------------------- what the events tell of


def _opens(path: Any, mode: str | None, flags: int) -> str:
    return _writes(path) if flags & _WRITING else ""


def _writes(path: Any, *rest: Any) -> str:
    return _writes_in(path, _IN_THE_WORKING_DIRECTORY)


def _writes_at(path: Any, *rest: Any) -> str:
    """The descriptor of the directory comes last."""
    return _writes_in(path, rest[-1])


def _writes_in(path: Any, directory: int) -> str:
    """`directory` is the descriptor of the one that a relative path begins in."""
    if not isinstance(path, str | bytes | os.PathLike):
        return ""  # a file that is open already
    name = os.fsdecode(path)
    start = "." if directory == _IN_THE_WORKING_DIRECTORY else f"/proc/self/fd/{directory}"
    real = os.path.realpath(os.path.join(start, name))
    temporary = os.path.realpath(tempfile.gettempdir())
    # Python keeps the byte code of what is imported first.
    mine = f"{real}/".startswith((f"{temporary}/", "/dev/", "/proc/")) or "/__pycache__/" in f"{real}/"
    return "" if mine else f"writes {name}, outside of the directory for temporary files"


def _renames(old: Any, new: Any, old_directory: int, new_directory: int) -> str:
    return _writes_in(old, old_directory) or _writes_in(new, new_directory)


def _moves(*arguments: Any) -> str:
    return "changes the working directory"


def _starts(program: Any, *rest: Any) -> str:
    return f"starts {os.fsdecode(program)} on the machine that the laws are checked on"


def _forks(*arguments: Any) -> str:
    return "starts a process on the machine that the laws are checked on"


def _signals(process: int, number: int) -> str:
    if process <= 0:
        return _signals_group(-process, number)
    whom = "its own process" if process == os.getpid() else "another process"
    return f"sends signal {number} to {whom}" if number else ""  # 0 asks whether it is there


def _signals_group(group: int, number: int) -> str:
    return f"sends signal {number} to a process group" if number else ""


def _sets(name: Any, *rest: Any) -> str:
    return f"changes the environment variable {os.fsdecode(name)}"


def _connects(socket: Any, address: Any) -> str:
    return f"connects to {address}, which is outside of the simulation"


def _asks_for(name: Any, *rest: Any) -> str:
    return f"looks up {name!r}, which is outside of the simulation"


_DEEDS: dict[str, Callable[..., str]] = {
    "open": _opens,
    "os.chdir": _moves,
    "os.chmod": _writes_at,
    "os.chown": _writes_at,
    "os.exec": _starts,
    "os.fork": _forks,
    "os.forkpty": _forks,
    "os.kill": _signals,
    "os.killpg": _signals_group,
    "os.link": lambda old, new, old_directory, new_directory: _writes_in(new, new_directory),
    "os.mkdir": _writes_at,
    "os.posix_spawn": _starts,
    "os.putenv": _sets,
    "os.remove": _writes_at,
    "os.removexattr": _writes,
    "os.rename": _renames,
    "os.rmdir": _writes_at,
    "os.setxattr": _writes,
    "os.symlink": lambda target, path, directory: _writes_in(path, directory),
    "os.system": _starts,
    "os.truncate": _writes,
    "os.unsetenv": _sets,
    "os.utime": _writes_at,
    "socket.bind": _connects,
    "socket.connect": _connects,
    "socket.getaddrinfo": _asks_for,
    "socket.gethostbyname": _asks_for,
    "socket.sendto": _connects,
    "subprocess.Popen": _starts,
}
"""By the names of https://docs.python.org/3/library/audit_events.html; nothing is said of what is harmless."""
