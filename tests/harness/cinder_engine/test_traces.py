"""A run leaves no trace in the process, and looks at nothing of the machine's own Cinder."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple

import pytest

from harness.cinder_engine.boot import Process
from harness.cinder_engine.release import installed
from harness.control_plane.deployment import Deployment
from harness.matrix import families, runner

pytestmark = pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)
CELL = "migrate/lvm-a/rbd-a/available"
LOGGERS = ("alembic", "cinder", "eventlet", "oslo", "oslo_messaging", "os_brick", "sqlalchemy")
"""Those of the libraries."""


def _state() -> dict[str, object]:
    """What a run might leave."""
    import builtins
    import http.client
    import random
    import signal
    import socket
    import time
    import uuid
    import warnings

    loggers = [logging.getLogger(), *map(logging.getLogger, LOGGERS)]
    return {
        "environment": dict(os.environ),
        "logs": [(each.name, each.getEffectiveLevel(), handlers(each)) for each in loggers],
        "warnings": list(warnings.filters),
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "garbage": (gc.isenabled(), gc.get_freeze_count()),
        "chance": (random.getstate(), random.SystemRandom),  # noqa: TID251
        "files": (builtins.open, os.stat, os.rename),
        "ceph modules": [name for name in ("rbd", "rados") if name in sys.modules],
        "clock": (time.sleep, time.time),  # noqa: TID251  (whether they change, not what they say)
        "uuids": uuid.uuid4,  # noqa: TID251
        "network": (socket.gethostname, socket.socket.connect, http.client.HTTPConnection.connect),
        "streams": (sys.stdout, sys.stderr),
        "paths": os.path.exists,
        "directory": os.getcwd(),
    }


def handlers(logger: logging.Logger) -> list[str]:
    """Without those that do nothing, which libraries bring along when they are imported."""
    return [repr(each) for each in logger.handlers if not isinstance(each, logging.NullHandler)]


class Traces(NamedTuple):
    """What one cell has left, and what it did beside.

    `changed` are the names in `_state` that are another way, `left` the temporary files, `read` what was opened
    in /etc/cinder, `called` the programs and the connections.
    """

    verdict: str
    changed: list[str]
    left: list[str]
    read: list[str]
    called: list[str]


def _run(line: Connection, directory: str) -> None:
    """One cell in this process, whose temporary files are in `directory`."""
    opened: list[str] = []
    called: list[str] = []

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            opened.append(str(arguments[0]))
        elif event in ("socket.connect", "subprocess.Popen", "os.exec", "os.system"):
            called.append(event)

    tempfile.tempdir = directory
    before = _state()
    sys.addaudithook(listen)
    deployment = Deployment.default()
    with Process(deployment) as process:
        from harness.cinder_engine.cloud import CinderCloud
        from harness.cinder_engine.seams import streams

        streams.install(process.patches, process.stage)
        launch = partial(CinderCloud, process)
        result = runner.run_cell(deployment, families.find(deployment, CELL), launch=launch)
    after = _state()
    line.send(
        Traces(
            verdict=result.verdict,
            changed=[name for name in before if before[name] != after[name]],
            left=os.listdir(directory),
            read=[path for path in opened if "/etc/cinder" in path],
            called=called,
        )
    )


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Traces:
    """Of a process of its own."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs, str(tmp_path_factory.mktemp("temporary"))))
    process.start()
    theirs.close()
    try:
        found: Traces = ours.recv()
    finally:
        process.join()
    return found


def test_everything_is_as_it_was_before(traces: Traces) -> None:
    """Environment, log handlers, modules, clocks, streams, files, signals; and no temporary file is left."""
    assert traces.verdict == "known"
    assert traces.changed == []
    assert traces.left == []


def test_the_machines_own_cinder_is_not_looked_at(traces: Traces) -> None:
    """Nothing is read in /etc/cinder, no program is started and nobody is called."""
    assert (traces.read, traces.called) == ([], [])
