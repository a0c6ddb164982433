"""Foreign modules are imported by somebody else first: ``python -m harness.first_import MODULE PARENT``.

A module can end the process that imports it, or never let it go on. Neither can be caught, so a process of its
own finds out before ours imports the module. What is raised there is raised here again, and told then.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

from harness.children import end_with

LIMIT_S = 30.0
"""Real time. The largest drivers are imported within a second."""
_BACK = b"came back"


def obstacle(module: str, limit_s: float = LIMIT_S) -> str:
    """What keeps a process that imports the module from going on, in words; empty if nothing does.

    A module that is loaded already is not tried.
    """
    if module in sys.modules:
        return ""
    path = os.pathsep.join([each if each else str(Path.cwd()) for each in sys.path])
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", __name__, module, str(os.getpid())],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            answer, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"it does not come back within {limit_s:g} s"
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return "" if answer == _BACK else f"it ends the process (exit status {process.returncode})"


class _WithoutCinder:
    """A finder of modules: whether a driver needs Cinder is asked elsewhere."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0] in ("cinder", "os_brick"):
            raise ImportError(name)
        return None


def main(module: str, parent: str) -> None:
    """Import it, and say so; whatever it prints goes nowhere."""
    end_with(int(parent))
    answer = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    sys.meta_path.insert(0, _WithoutCinder)
    try:
        importlib.import_module(module)
    except BaseException:  # noqa: BLE001 (told when it happens in the process that wants the module)
        pass
    os.write(answer, _BACK)
    os._exit(0)  # whatever threads it has left running


if __name__ == "__main__":
    main(*sys.argv[1:])
