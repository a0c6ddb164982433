"""The recorder runs what the transcript says, and notices what came out differently."""

from __future__ import annotations

import sys
from typing import Any

from tests.golden.record import Recorder, differences, record


class Quiet(Recorder):
    """A recorder that leaves the machine's volume groups and disks alone."""

    def reset(self) -> None:
        """Nothing was made, so nothing is to be removed."""


def row(step: int, *argv: str, stdout: str = "", rc: int = 0) -> dict[str, Any]:
    """A recorded step."""
    return {
        "scenario": "s", "step": step, "kind": "probe", "argv": list(argv), "rc": rc, "stdout": stdout,
        "stderr": "", "ms": 1,
    }  # fmt: skip


def test_recording_again_shows_what_is_different() -> None:
    """Real disks stand for recorded ones on the way in, recorded ones for real ones on the way out."""
    say = (sys.executable, "-c", "import sys; print(*sys.argv[1:])")
    rows = [row(1, *say, "/dev/vdd", stdout="/dev/vdd\n"), row(2, *say, "now", stdout="then\n")]
    again = record(rows, Quiet({"/dev/vdd": "/dev/sdx"}))
    assert [step["stdout"] for step in again] == ["/dev/vdd\n", "now\n"]
    assert [line.split(":")[0] for line in differences(rows, again)] == ["s 2"]
    assert record([row(1, "no-such-program")], Quiet({}))[0]["rc"] == 127
