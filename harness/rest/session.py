"""One running deployment that is served: the cloud, its pace, its saved state, and the site over them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from starlette.applications import Starlette

from fake_backends.files.storage import StorageDirectory
from harness.control_plane.cloud import Cloud
from harness.control_plane.deployment import Deployment
from harness.control_plane.nova_profiles import NovaProfile
from harness.rest import site
from harness.rest.pace import Pace
from harness.rest.saved import SavedRecords
from harness.rest.server import Timekeeper, clock, serve
from harness.rest.state import RecordedSimulation, State


@dataclass(frozen=True, slots=True)
class Session:
    """What a test or the command holds in its hands."""

    cloud: Cloud
    pace: Pace
    timekeeper: Timekeeper
    application: Starlette

    def serve(self, listener: socket.socket, ready: Callable[[], None]) -> None:
        """Answer requests until the process is told to end."""
        serve(self.application, self.timekeeper, listener, ready)


@contextmanager
def open_session(
    deployment: Deployment,
    *,
    nova: NovaProfile,
    seed: int,
    speed: float,
    state: Path | None,
    now: datetime,
    backends: Sequence[str] | None = None,
) -> Iterator[Session]:
    """A cloud that runs, as it was left in `state` or fresh. `now` is what the clock on the wall says.

    `backends` names those that run, all by default.

    InputError for a state directory that cannot be used.
    """
    with ExitStack() as stack:
        home, saved = None, None
        if state is not None:
            home = stack.enter_context(StorageDirectory(state)).root
            saved = stack.enter_context(SavedRecords(state))
        kept = State(saved, home, seed, now)
        simulation = stack.enter_context(RecordedSimulation(kept.write))
        kept.set_clock(simulation.kernel)
        cloud = Cloud(
            deployment,
            simulation,
            nova=nova,
            seed=kept.seed,
            backends=backends,
            home=home,
            database=kept.database,
            before_start=kept.restore,
        )
        stack.callback(cloud.close)
        kept.begin(cloud)
        pace = Pace(simulation, speed, clock, kept.write)
        timekeeper = Timekeeper(pace)
        yield Session(cloud, pace, timekeeper, site.build(cloud, pace, timekeeper.perform, kept.epoch))
        kept.write()
