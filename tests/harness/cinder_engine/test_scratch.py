"""Nothing of a run stays in the directory of temporary files, however it ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.cinder_engine.scratch import PREFIX, scratch, sweep


def test_a_worker_leaves_nothing(tmp_path: Path) -> None:
    """All that is in the directory goes with it."""
    with scratch(tmp_path) as home:
        (home / "conversion").mkdir()
        (home / "conversion" / "image").touch()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_worker_left_is_swept_up(tmp_path: Path) -> None:
    """Its lock has gone with its process."""
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from harness.cinder_engine.scratch import scratch\n"
        "with scratch(Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(PREFIX)
    sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_used_is_not_swept_up(tmp_path: Path) -> None:
    """Two runs at a time do not touch each other's, and nobody touches what is not Crucible's."""
    (tmp_path / "crucible").mkdir()
    with scratch(tmp_path) as home:
        sweep(tmp_path)
        assert home.is_dir()
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["crucible"]
