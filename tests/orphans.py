"""Kills a process while it waits for foreign code, and sees that what it had started ends, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 60.0
"""Far more than anything here takes: a test that fails shall end."""

LEAVES_ITS_PIDS = """
import os, signal
from pathlib import Path

def stay():
    made = Path({file!r} + ".new")
    made.write_text(f"{{os.getppid()}} {{os.getpid()}}")
    made.rename({file!r})
    while True:
        signal.pause()
"""
"""Source of `stay`, which writes the process and its parent to a file, and never comes back."""


def killed_in_a_call(directory: Path, base: str, how: signal.Signals) -> list[int]:
    """Certify a driver, derived from the class `base`, that never comes back, and kill who does that.

    Returns the numbers of the process that is in the call and of its parent, if that one was not killed.
    """
    module, _, name = base.rpartition(".")
    file = directory / "pids"
    (directory / "staying_driver.py").write_text(
        f"from {module} import {name}\n"
        + LEAVES_ITS_PIDS.format(file=str(file))
        + f"class Staying({name}):\n    def delete_volume(self, volume):\n        stay()\n"
    )
    code = (
        "from harness.cli import main; "
        "main(['certify', 'staying_driver:Staying', '--profile', 'ci', '-k', 'deleting_twice'])"
    )
    return killed_while(code, file, how)


def killed_while(code: str, file: Path, how: signal.Signals) -> list[int]:
    """Run Python code in a process that is killed when `file` is there; returns the numbers that are in it."""
    asking = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(file.parent), *sys.path])},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(file.exists, "the driver is called")
    finally:
        asking.send_signal(how)
        asking.wait()
    return [int(number) for number in file.read_text().split() if int(number) != asking.pid]


def must_end(pid: int) -> None:
    """Wait for a process that is no child of ours."""
    state = Path(f"/proc/{pid}/stat")

    def ended() -> bool:
        try:
            return ") Z " in state.read_text()
        except OSError:
            return True

    wait_until(ended, f"process {pid} ends")


def wait_until(condition: Callable[[], object], what: str) -> None:
    """AssertionError if it never happens."""
    until = time.monotonic() + PATIENCE_S  # noqa: TID251 (another process, in real time)
    while not condition():
        assert time.monotonic() < until, f"it does not happen that {what}"  # noqa: TID251
        time.sleep(0.02)  # noqa: TID251
