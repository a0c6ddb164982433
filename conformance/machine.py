"""What foreign code does to the machine that it runs on: files that it writes, programs that it starts.

A driver under test has simulated hosts for that. The directory for temporary files is nobody's business.
"""

from __future__ import annotations

import _thread
import builtins
import io
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _opens(path: Any, mode: str = "r", *rest: Any, **more: Any) -> str:
    return _writes(path) if {*mode} & {*"wax+"} else ""


def _opens_for(path: Any, flags: int, *rest: Any, **more: Any) -> str:
    return _writes(path) if flags & _WRITING else ""


def _writes(path: Any, *rest: Any, **more: Any) -> str:
    if not isinstance(path, str | bytes | os.PathLike):
        return ""  # a file that is open already
    real = os.path.realpath(os.fsdecode(path))
    temporary = os.path.realpath(tempfile.gettempdir())
    mine = f"{real}/".startswith((f"{temporary}/", "/dev/", "/proc/"))
    return "" if mine else f"writes {os.fsdecode(path)}, outside of the directory for temporary files"


def _moves(*arguments: Any) -> str:
    return "changes the working directory"


def _starts(program: Any, *rest: Any, **more: Any) -> str:
    words = [program] if isinstance(program, str | bytes | os.PathLike) else list(program)
    return f"starts {os.fsdecode(words[0])} on the machine that the laws are checked on"


_DEEDS: tuple[tuple[Any, str, Callable[..., str]], ...] = (
    (builtins, "open", _opens),
    (io, "open", _opens),
    (os, "open", _opens_for),
    (os, "mkdir", _writes),
    (os, "remove", _writes),
    (os, "unlink", _writes),
    (os, "chdir", _moves),
    (os, "system", _starts),
    (subprocess.Popen, "__init__", lambda process, *arguments, **more: _starts(*arguments, **more)),
)
"""Where it is done, and what is said of it; nothing is said of what is harmless."""


@contextmanager
def watched(deeds: list[str]) -> Iterator[None]:
    """While this lasts, `deeds` gets what this thread does, in sentences without a subject."""
    thread = _thread.get_ident()

    def watching(do: Callable[..., Any], told: Callable[..., str]) -> Callable[..., Any]:
        # On the real Cinder paths of the simulated hosts are opened in its place (`cinder_engine.seams.files`).
        is_fake = getattr(getattr(do, "__self__", None), "is_fake", lambda path: False)

        def doing(*arguments: Any, **keywords: Any) -> Any:
            if _thread.get_ident() != thread or (arguments and is_fake(arguments[0])):
                return do(*arguments, **keywords)
            if deed := _told(told, arguments, keywords):
                deeds.append(deed)
            return do(*arguments, **keywords)

        return doing

    # Whoever asks first tries the directory out, and holds a lock meanwhile that `_writes` would wait for.
    tempfile.gettempdir()
    # What is not the interpreter's own leads to a simulated host already, as on the real Cinder.
    own = [each for each in _DEEDS if _is_own(getattr(each[0], each[1]))]
    before = [(place, name, getattr(place, name)) for place, name, _ in own]
    directory = os.getcwd()
    for place, name, told in own:
        setattr(place, name, watching(getattr(place, name), told))
    try:
        yield
    finally:
        for place, name, do in before:
            setattr(place, name, do)
        os.chdir(directory)


def _is_own(function: Any) -> bool:
    return isinstance(function, BuiltinFunctionType) or function.__module__ == subprocess.__name__


def _told(told: Callable[..., str], arguments: Any, keywords: Any) -> str:
    try:
        return told(*arguments, **keywords)
    except (TypeError, ValueError, IndexError):
        return ""  # no such call, which its callee will say
