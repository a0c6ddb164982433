"""The recorder runs what the transcript says, and notices what came out differently."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.golden.rbd_replay import POOLS, Replay, scenarios
from tests.golden.record import Recorder, differences, record
from tests.golden.record_rbd import RealReplay


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


def test_calls_are_run_again_on_other_modules() -> None:
    """Whatever `rados` and `rbd` there are; those of the fake stand in for the real ones."""
    rows = scenarios(Path(__file__).parent / "rbd.jsonl")["resize"]
    fake = Replay("resize", rows)
    again = RealReplay("resize", rows, "/etc/ceph/ceph.conf", fake.rados, fake.rbd)
    assert all(again._client("").pool_exists(pool) for pool in POOLS)
    assert again.run().differences == []
    again.close()
    wrong = [row | {"result": 1} if row["step"] == 2 else row for row in rows]
    again = RealReplay("resize", wrong, "/etc/ceph/ceph.conf", fake.rados, fake.rbd)
    assert again.run().differences
