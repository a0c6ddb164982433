"""An NFS share that two back-ends know by different names: neither engine notices, and the volume is lost."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import pytest

from harness.cinder_engine.release import installed
from harness.control_plane.cloud import Cloud
from harness.control_plane.deployment import SHARE_SIZE, Deployment
from harness.control_plane.face import Launch
from harness.matrix import families, runner

CELL = "migrate/nfs-a/nfs-far/available"
LOST = ("data-loss", "success")


def aliased(cloud: Any, backends: Sequence[str]) -> Any:
    """Both back-ends have the first one's share from now on; then their services start."""
    one, other = (cloud.deployment.backend(name) for name in backends)
    cloud.world.shares[other.shares[0]] = cloud.world.share(one.shares[0], SHARE_SIZE)
    if isinstance(cloud, Cloud):
        cloud.services.start_all([one, other], ())
    else:
        for name in backends:
            cloud.start(name)
    return cloud


def outcome(make: Any) -> tuple[str, str]:
    """Of the cell, and the migration status that the volume's owner cannot see."""
    deployment = Deployment.default()

    def launch(*arguments: Any, backends: Sequence[str], **keywords: Any) -> Any:
        return aliased(make(*arguments, backends=[], **keywords), backends)

    checked: Launch = launch
    cell = families.find(deployment, CELL)
    result = runner.run_cell(deployment, cell, launch=checked, keep_timeline=True, at_rest=True)
    return result.observed.outcome, str(result.picture["volume: migration_status"])


def on_the_real_cinder() -> tuple[str, str]:
    """In a process of its own, which alone imports Cinder."""
    from harness.cinder_engine.boot import Process

    with Process(Deployment.default()) as process:
        from harness.cinder_engine.cloud import CinderCloud

        return outcome(partial(CinderCloud, process))


def test_the_simulation_loses_the_volume() -> None:
    """The new file is renamed over the original, which is deleted next, and with it the only one."""
    assert outcome(Cloud) == LOST


@pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)
def test_cinder_loses_it_too() -> None:
    """`NfsDriver.update_migrated_volume` compares names of shares."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(on_the_real_cinder).result() == LOST
