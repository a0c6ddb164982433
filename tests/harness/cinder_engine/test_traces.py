"""A run leaves no trace in the process, and looks at nothing of the machine's own Cinder."""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection

import pytest

from harness.cinder_engine.boot import Process
from harness.cinder_engine.release import installed
from harness.control_plane.deployment import Deployment
from harness.matrix import families, runner

pytestmark = pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)
CELL = "migrate/lvm-a/rbd-a/available"

Traces = dict[str, object]


def _state() -> Traces:
    """What a run might leave."""
    import http.client
    import socket
    import time
    import uuid

    return {
        "environment": dict(os.environ),
        "log handlers": [repr(handler) for handler in logging.getLogger().handlers],
        "ceph modules": [name for name in ("rbd", "rados") if name in sys.modules],
        "clock": (time.sleep, time.time),  # noqa: TID251  (whether they change, not what they say)
        "uuids": uuid.uuid4,  # noqa: TID251
        "network": (socket.gethostname, socket.socket.connect, http.client.HTTPConnection.connect),
        "streams": (sys.stdout, sys.stderr),
        "paths": os.path.exists,
        "directory": os.getcwd(),
    }


def _run(line: Connection) -> None:
    """One cell in this process, and what it did beside."""
    opened: list[str] = []
    connected: list[str] = []

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            opened.append(str(arguments[0]))
        elif event in ("socket.connect", "subprocess.Popen", "os.exec", "os.system"):
            connected.append(event)

    before = _state()
    sys.addaudithook(listen)
    deployment = Deployment.default()
    with Process(deployment) as process:
        from harness.cinder_engine.cloud import CinderCloud
        from harness.cinder_engine.seams import streams

        streams.install(process.patches, process.stage)
        result = runner.run_cell(
            deployment, families.find(deployment, CELL), launch=partial(CinderCloud, process)
        )
        home = process.home
    after = _state()
    changed = [name for name in before if before[name] != after[name]]
    line.send(
        (result.verdict, changed, [path for path in opened if "/etc/cinder" in path], connected, home.exists())
    )


@pytest.fixture(scope="module")
def traces() -> tuple[str, list[str], list[str], list[str], bool]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs,))
    process.start()
    theirs.close()
    try:
        found: tuple[str, list[str], list[str], list[str], bool] = ours.recv()
    finally:
        process.join()
    return found


def test_everything_is_as_it_was_before(traces: tuple[str, list[str], list[str], list[str], bool]) -> None:
    """Environment, log handlers, modules, clocks, streams; and nothing is left in the file system."""
    verdict, changed, _, _, home_is_left = traces
    assert verdict == "known"
    assert changed == []
    assert not home_is_left


def test_the_machines_own_cinder_is_not_looked_at(
    traces: tuple[str, list[str], list[str], list[str], bool],
) -> None:
    """Nothing is read in /etc/cinder, no program is started and nobody is called."""
    _, _, read, called, _ = traces
    assert (read, called) == ([], [])
