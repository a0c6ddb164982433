"""Every test of files runs on a real file system and in pyfakefs."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_backends.files.directory import Directory
from fake_backends.files.fake import fake_directory
from fake_backends.files.real import RealDirectory


@pytest.fixture(params=["real", "fake"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Directory:
    """An empty directory."""
    return RealDirectory(tmp_path) if request.param == "real" else fake_directory()
