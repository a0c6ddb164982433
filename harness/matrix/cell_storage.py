"""Where the cells of a run keep their bytes: in memory, in pyfakefs, or below a directory.

With a directory every cell has its own storage directory ``cells/<cell>`` in it, made afresh when the cell
starts. Afterwards it is removed, unless somebody may want to look into it: `keep` says for which cells.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fake_backends.files.directory import Directory
from fake_backends.files.names import safe_name
from fake_backends.files.storage import StorageDirectory
from harness.results import Verdict

CELLS = "cells"
"""The directory in a storage directory that has one of these for each cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellStorage:
    """`directory`, if any, is an open storage directory; `kind` is then file. A plain value: it may be sent."""

    kind: Literal["memory", "file"] = "memory"
    directory: Path | None = None
    keep: Literal["unexpected", "all"] = "unexpected"

    @contextmanager
    def opened(self, cell_id: str) -> Iterator[Directory | None]:
        """The empty directory of a cell while it runs; None where storage is memory."""
        if self.kind == "memory":
            yield None
        elif self.directory is None:
            # Imported here: runs in memory need no file system.
            from fake_backends.files.fake import fake_directory

            yield fake_directory()
        else:
            self._remove(cell_id)
            with StorageDirectory(self.place(cell_id)) as opened:
                yield opened.root

    def finish(self, cell_id: str, verdict: Verdict) -> None:
        """The cell has been judged: keep what it stored, or remove it."""
        if self.keep == "unexpected" and verdict in ("pass", "known"):
            self._remove(cell_id)

    def place(self, cell_id: str) -> Path:
        """The storage directory of a cell."""
        assert self.directory is not None
        return self.directory / CELLS / safe_name(cell_id)

    def _remove(self, cell_id: str) -> None:
        if self.directory is not None and self.place(cell_id).exists():
            shutil.rmtree(self.place(cell_id))


MEMORY = CellStorage()
