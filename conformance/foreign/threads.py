"""Which threads foreign code has left running.

A new thread exists when somebody has asked for it, and not only when the interpreter gets round to running it.
So every way to start one is watched: what counts the threads of the interpreter would see it late or never.
"""

from __future__ import annotations

import _thread
import threading  # noqa: TID251 (to watch it)
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_STARTERS = [
    (module, name)
    for module, name in (
        (_thread, "start_new_thread"),
        (_thread, "start_joinable_thread"),  # of Python 3.13
        (threading, "_start_new_thread"),
        (threading, "_start_joinable_thread"),
    )
    if hasattr(module, name)
]


@contextmanager
def watched(alive: set[object]) -> Iterator[None]:
    """While this lasts, `alive` has something for each thread that was started and has not ended."""

    def watching(start: Callable[..., Any]) -> Callable[..., Any]:
        def starting(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
            thread = object()

            def running(*args: Any, **kwargs: Any) -> Any:
                try:
                    return function(*args, **kwargs)
                finally:
                    alive.discard(thread)

            alive.add(thread)
            try:
                return start(running, *arguments, **keywords)
            except BaseException:
                alive.discard(thread)
                raise

        return starting

    before = [(module, name, getattr(module, name)) for module, name in _STARTERS]
    for module, name, start in before:
        setattr(module, name, watching(start))
    try:
        yield
    finally:
        for module, name, start in before:
            setattr(module, name, start)
