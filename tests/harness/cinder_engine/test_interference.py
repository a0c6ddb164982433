"""What becomes of somebody else's business when an unlocked migration completes."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest

from harness.cinder_engine.release import installed
from harness.control_plane.cloud import Cloud
from harness.control_plane.deployment import Deployment
from harness.control_plane.face import Launch
from harness.matrix.families import find
from harness.matrix.scenario import Scenario

CELL = "migrate/lvm-a/rbd-a/available/meanwhile=rename"


class Transferred(Scenario):
    """The owner offers the volume to another project in the middle of the copy."""

    offered = ""

    def _interfere(self) -> None:
        api = self.cloud.api
        if isinstance(self.cloud, Cloud):
            self.cloud.transfers.create(self.owner, self.volume_id)
        else:
            body = {"transfer": {"volume_id": self.volume_id, "name": None}}
            api._rest(self.owner, "POST", "volume-transfers", body)  # type: ignore[attr-defined]
        self.offered = self.volume().status


def statuses(launch: Launch) -> list[str | None]:
    """The volume's status when it has been offered, and its statuses when it has moved."""
    deployment = Deployment.default()
    scenario = Transferred(deployment, find(deployment, CELL), launch=launch)
    try:
        scenario.run()
        volume = scenario.volume()
        return [scenario.offered, volume.status, volume.migration_status]
    finally:
        scenario.close()
        scenario.simulation.close()


def on_the_real_cinder() -> list[str | None]:
    """In a process of its own, which alone imports Cinder."""
    from harness.cinder_engine.boot import Process

    with Process(Deployment.default()) as process:
        from harness.cinder_engine.cloud import CinderCloud

        return statuses(partial(CinderCloud, process))


@pytest.mark.parametrize("engine", ["simulation", "cinder"])
def test_a_transfer_that_is_open_does_not_show_any_more(engine: str) -> None:
    """Completion writes the status that the volume had before, over whatever it is by then."""
    if engine == "simulation":
        found = statuses(Cloud)
    elif installed() is None:
        pytest.skip("Cinder is not installed: pip install 'cinder-crucible[cinder]'")
    else:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found = pool.submit(on_the_real_cinder).result()
    assert found == ["awaiting-transfer", "available", "success"]
