"""Modules that must not be imported by this process are found out by another one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.first_import import obstacle
from tests.orphans import LEAVES_ITS_PIDS, killed_while, must_end

MODULES = {
    "good_module": "VALUE = 1\n",
    "raising_module": "raise BaseException('no')\n",
    "printing_module": "import os\nos.write(1, b'hello')\nprint('hello')\n",
    "of_cinder_module": "from cinder.volume import driver\n",
    "threading_module": "import threading\nthreading.Thread(target=threading.Event().wait).start()\n",
    "ending_module": "import os\nos._exit(4)\n",
    "group_module": "import os, signal\nos.kill(0, signal.SIGKILL)\n",
    "hanging_module": "import signal\nwhile True: signal.pause()\n",
}


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    ["good_module", "raising_module", "printing_module", "of_cinder_module", "threading_module", "absent"],
)
def test_a_module_that_comes_back_is_no_obstacle(modules: Path, name: str) -> None:
    """Whatever it raises or prints: that is told when our own process imports it."""
    assert obstacle(name) == ""
    assert name not in sys.modules


@pytest.mark.parametrize(("name", "status"), [("ending_module", 4), ("group_module", -9)])
def test_a_module_that_ends_the_process_is_one(modules: Path, name: str, status: int) -> None:
    """Ours goes on, and tells how the other one ended."""
    assert obstacle(name) == f"it ends the process (exit status {status})"


def test_a_module_that_never_comes_back_is_one(modules: Path) -> None:
    """It is killed, and what it may have started."""
    assert obstacle("hanging_module", limit_s=1.0) == "it does not come back within 1 s"


def test_a_module_that_is_loaded_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes of a test, for instance, are in a module that nobody else can import."""
    monkeypatch.setattr(subprocess, "Popen", None)
    assert obstacle(__name__) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parents")
def test_who_is_killed_meanwhile_leaves_nobody_behind(tmp_path: Path) -> None:
    """The process that imports ends with the one that asked it to."""
    file = tmp_path / "pids"
    (tmp_path / "staying_module.py").write_text(LEAVES_ITS_PIDS.format(file=str(file)) + "stay()\n")
    code = "from harness.first_import import obstacle; obstacle('staying_module')"
    (pid,) = killed_while(code, file, signal.SIGKILL)
    must_end(pid)
