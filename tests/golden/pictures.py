"""The pictures that the real Cinder left of the cells of the default matrix, recorded once for all.

``pictures.jsonl.xz`` begins with a line that names the release. Each line after it is a cell: its id, and how
everything stood when it had come to rest (`harness.matrix.picture`). `record_pictures` makes the file.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import NamedTuple

from harness.results import Picture, write_atomically

PATH = Path(__file__).parent / "pictures.jsonl.xz"


class Recorded(NamedTuple):
    """Pictures by cell id, and the Cinder that left them."""

    release: str
    cells: dict[str, Picture]


def load(path: Path = PATH) -> Recorded:
    """Read all of them."""
    header, *lines = lzma.decompress(path.read_bytes()).decode().splitlines()
    cells = [json.loads(line) for line in lines]
    return Recorded(json.loads(header)["cinder"], {cell["id"]: cell["picture"] for cell in cells})


def save(recorded: Recorded, path: Path = PATH) -> None:
    """Sorted by id, so that two recordings can be compared line by line (``xzdiff``)."""
    lines: list[dict[str, object]] = [{"cinder": recorded.release}]
    lines += [{"id": name, "picture": recorded.cells[name]} for name in sorted(recorded.cells)]
    text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
    write_atomically(path, lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
