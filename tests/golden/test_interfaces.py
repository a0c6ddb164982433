"""What releases of Cinder ask of drivers is on record, and docs/interface-changes.md says what it comes to.

The record is what `crucible interface --json` wrote with each release installed, one document on a line.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from harness.cli import main

RECORD = Path(__file__).parent / "interfaces.jsonl.xz"
PAGE = Path(__file__).parents[2] / "docs" / "interface-changes.md"


def test_the_page_is_what_the_releases_come_to(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Made again from the record, it is the same."""
    paths = []
    for line in lzma.decompress(RECORD.read_bytes()).splitlines():
        paths.append(tmp_path / f"{json.loads(line)['release']}.json")
        paths[-1].write_bytes(line)
    assert [path.stem.partition(".")[0] for path in paths] == ["24", "25", "26", "27", "28", "29"]
    main(["interface-changes", *map(str, paths)])
    assert capsys.readouterr().out == PAGE.read_text(encoding="utf-8")
