"""The result file is whole or absent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.results import CellResult, MatrixResult, load
from reports.json_file import JsonFile

MakeCell = Callable[..., CellResult]
MakeRun = Callable[..., MatrixResult]


def test_the_file_holds_the_whole_result(tmp_path: Path, make_run: MakeRun, make_cell: MakeCell) -> None:
    """What is read back is what was written."""
    path = tmp_path / "result.json"
    run = make_run(make_cell())
    writer = JsonFile(path)
    writer.begin(make_run(), 1)
    writer.cell(run.cells[0])
    assert not path.exists()
    writer.end(run)
    assert load(path) == run


def test_a_run_that_breaks_off_leaves_the_old_file(tmp_path: Path, make_run: MakeRun) -> None:
    """Neither a part of the new result, nor a temporary file."""
    path = tmp_path / "result.json"
    path.write_text("old")
    writer = JsonFile(path)
    writer.begin(make_run(), 1)
    writer.abort()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path, make_run: MakeRun) -> None:
    """Before the run, not after it."""
    for path in (tmp_path, tmp_path / "absent" / "result.json"):
        with pytest.raises(InputError):
            JsonFile(path).begin(make_run(), 1)
