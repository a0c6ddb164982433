"""The result as a file: everything there is, for other tools and for later."""

from __future__ import annotations

from pathlib import Path

from harness.documents import encode
from harness.results import CellResult, MatrixResult, check_writable, write_atomically


class JsonFile:
    """Writes the whole result to `path`, or leaves what was there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, run: MatrixResult, total: int) -> None:
        check_writable(self._path)

    def cell(self, result: CellResult) -> None:
        """The file is written at the end, as a whole."""

    def end(self, run: MatrixResult) -> None:
        write_atomically(self._path, encode(run))

    def abort(self) -> None:
        """Nothing was written yet."""
