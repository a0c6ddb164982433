"""Each cell has a directory of its own while it runs; afterwards it is kept for those who want to see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_backends.files.real import RealDirectory
from harness.control_plane.deployment import Deployment
from harness.matrix.cell_storage import CellStorage
from harness.matrix.families import find
from harness.matrix.runner import run_cell
from harness.results import Verdict

CELL = "migrate/lvm-a/rbd-a/in-use/nova=20"


def test_memory_has_no_directory() -> None:
    """The world then keeps everything in memory."""
    with CellStorage().opened(CELL) as home:
        assert home is None
    CellStorage().finish(CELL, "pass")


def test_pyfakefs_is_fresh_for_each_cell() -> None:
    """Nothing of one cell is there for the next."""
    storage = CellStorage(kind="file")
    for _ in range(2):
        with storage.opened(CELL) as home:
            assert home is not None
            assert home.names() == []
            home.replace("record", b"content")
        storage.finish(CELL, "fail")


def test_a_directory_is_fresh_for_each_run(tmp_path: Path) -> None:
    """What an earlier run has left is removed first."""
    storage = CellStorage(kind="file", directory=tmp_path, keep="all")
    for _ in range(2):
        with storage.opened(CELL) as home:
            assert isinstance(home, RealDirectory)
            assert "record" not in home
            home.replace("record", b"content")
        storage.finish(CELL, "pass")
    assert (storage.place(CELL) / "record").read_bytes() == b"content"
    assert storage.place(CELL).parent == tmp_path / "cells"


@pytest.mark.parametrize(
    ("verdict", "kept"), [("pass", False), ("known", False), ("fail", True), ("error", True)]
)
def test_what_is_as_expected_is_removed(tmp_path: Path, verdict: Verdict, kept: bool) -> None:
    """Of a matrix only those cells stay that somebody has to look into."""
    storage = CellStorage(kind="file", directory=tmp_path)
    with storage.opened(CELL):
        pass
    storage.finish(CELL, verdict)
    assert storage.place(CELL).exists() == kept


@pytest.mark.parametrize(
    "cell_id", [CELL, "migrate/lvm-a/nfs-a/available/precondition=no-capacity", "retype/rbd-a/nfs-qcow2/in-use"]
)
def test_a_cell_in_a_directory_is_as_in_memory(tmp_path: Path, cell_id: str) -> None:
    """A file system has limits that memory does not have, such as the length of a file."""
    deployment = Deployment.default()
    cell = find(deployment, cell_id)
    in_memory = run_cell(deployment, cell)
    assert in_memory == run_cell(deployment, cell, storage=CellStorage(kind="file", directory=tmp_path))
    assert in_memory.verdict in ("pass", "known")
