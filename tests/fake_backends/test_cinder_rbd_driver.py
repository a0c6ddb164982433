"""Cinder's own RBD driver and os-brick over fake clusters, where they are installed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(
    importlib.util.find_spec("cinder") is None, reason="Cinder is not installed: pip install cinder"
)
def test_cinders_driver_runs_over_the_fakes() -> None:
    """Create, write with os-brick, extend, snapshot, clone, migrate between pools, and delete."""
    script = Path(__file__).with_name("drive_cinder_rbd.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "read by os-brick": "os-brick was here",
        "size after extend": 2,
        "read from the snapshot's volume": "os-brick was here",
        "clone's parent": True,
        "migrated": [True, "moves", False],
        "stats": ["ceph", 100.0],
        "left over": [],
    }
