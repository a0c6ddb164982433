"""Processes that are started for foreign code: none of them outlives who started it."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
"""prctl(2), of Linux."""


def end_with(parent: int) -> None:
    """Called in a child of the process `parent`: from now on the kernel kills this one when that one ends.

    However that happens: a process that was killed can tell nobody any more. Elsewhere than on Linux nothing
    is done, and a child ends when it next has something to say.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was faster
        os.kill(os.getpid(), signal.SIGKILL)
