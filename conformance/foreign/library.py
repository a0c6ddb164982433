"""The functions of the standard library, which a driver shares with everybody in its process.

One that replaces `time.sleep` or `random.random` changes the service that it runs in; it is put back.
"""

from __future__ import annotations

import builtins
import os
import random
import socket
import subprocess
import threading  # noqa: TID251 (to watch it)
import time
from collections.abc import Iterator, Mapping
from types import ModuleType

MODULES: tuple[ModuleType, ...] = (builtins, os, random, socket, subprocess, threading, time)
Seen = Mapping[ModuleType, Mapping[str, object]]


def seen() -> Seen:
    """What they are called now."""
    return {module: dict(vars(module)) for module in MODULES}


def replaced(before: Seen) -> str:
    """The name of one that is another one now, such as ``time.sleep``; empty if there is none."""
    return next((f"{module.__name__}.{name}" for module, name, _ in _changed(before)), "")


def put_back(before: Seen) -> None:
    """As they were."""
    for module, name, function in list(_changed(before)):
        setattr(module, name, function)


def _changed(before: Seen) -> Iterator[tuple[ModuleType, str, object]]:
    for module, names in before.items():
        now = vars(module)
        for name, value in names.items():
            if now.get(name) is not value and callable(value):
                yield module, name, value
