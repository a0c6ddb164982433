"""What becomes of somebody else's business when an unlocked migration is under way, and when it completes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

import pytest

from fake_backends.block_store import PAGE, MemoryDevice
from harness.cinder_engine.release import installed
from harness.control_plane.cloud import Cloud
from harness.control_plane.deployment import Deployment
from harness.control_plane.face import Launch
from harness.control_plane.servers import Disk
from harness.matrix.families import find
from harness.matrix.scenario import Scenario
from harness.model import GIB
from harness.sim.faults import Fault

EARLY, LATE = 3, GIB // PAGE - 7
"""Pages that a copy comes to in its first and in its second half."""
HALF_OF_THE_COPY, END_OF_THE_UPLOAD = 5, 16
"""The visit of ``copy.file`` at which half of a copy is done; the last one of an upload that runs beside it."""


class Story(NamedTuple):
    """Who does what in the middle of the copy, and what is left.

    `held_up` is the visit of ``copy.file`` that takes a minute longer. `left` are the status when the business
    began, the volume's status and migration status in the end, and what its two pages say; then what else
    there is.
    """

    business: str
    cell: str
    left: list[str | None]
    held_up: int = 0


TO_RBD = "migrate/lvm-a/rbd-a/available/meanwhile=rename"
TO_LVM = "migrate/rbd-a/lvm-a/available/meanwhile=rename"
STORIES = {
    "a transfer that is open does not show any more": Story(
        "transfer", TO_RBD, ["awaiting-transfer", "available", "success", "old old"]
    ),
    "an upload is not seen to the end": Story(
        "upload", TO_RBD, ["uploading", "available", "success", "old old", "image active: old old"]
    ),
    "an upload from LVM reads what is wiped meanwhile, and the old volume stays": Story(
        "upload",
        TO_RBD,
        ["uploading", "available", "success", "old old", "error_deleting", "image active: old (zero)"],
        END_OF_THE_UPLOAD,
    ),
    "an upload from RBD keeps the old volume": Story(
        "upload",
        TO_LVM,
        ["uploading", "available", "success", "old old", "available", "image active: old old"],
        END_OF_THE_UPLOAD,
    ),
    "a backup from LVM loses its connection": Story(
        "backup", TO_RBD, ["backing-up", "available", "success", "old old", "backup error"]
    ),
    "a backup from RBD is not seen to the end": Story(
        "backup", TO_LVM, ["backing-up", "available", "success", "old old", "backup available: old old"]
    ),
    "a new image is torn on the way from LVM": Story(
        "reimage", TO_RBD, ["downloading", "available", "success", "old image"], HALF_OF_THE_COPY
    ),
    "a new image is torn on the way from RBD": Story(
        "reimage", TO_LVM, ["downloading", "available", "success", "old image"], HALF_OF_THE_COPY
    ),
    "a restored backup is torn": Story(
        "restore",
        TO_LVM,
        ["restoring-backup", "available", "success", "new old", "backup available: old old"],
        HALF_OF_THE_COPY,
    ),
    "to restore a backup on LVM takes the connection away from the copy": Story(
        "restore",
        TO_RBD,
        ["restoring-backup", "available", "error", "old old", "backup available: old old"],
        HALF_OF_THE_COPY,
    ),
}


class Interference(Scenario):
    """A migration with somebody's business in the middle. The clouds of both engines have the same face."""

    def __init__(self, story: Story, launch: Launch) -> None:
        deployment = Deployment.default()
        self.story = story
        self.asked: str | None = None
        super().__init__(deployment, find(deployment, story.cell), launch=launch)
        self.write("old")
        if story.business == "reimage":
            self.image = self.plane.images.create(self.owner.project_id, name="image")
            self.plane.images.fill(self.image.id, disk_that_says("image"))
        if story.business == "restore":
            self.backup = self.act("owner", self.plane.backups.create, self.owner, self.volume_id)
            self.write("new")

    @property
    def plane(self) -> Any:
        """The cloud, with what cells do not need."""
        return self.cloud

    def _faults(self) -> list[Fault]:
        held_up = Fault(
            point="copy.file", kind="delay", nth=self.story.held_up or 999, actor="c-vol*", delay_us=60_000_000
        )
        return [*super()._faults(), held_up]

    def _interfere(self) -> None:
        api, owner, volume_id = self.plane.api, self.owner, self.volume_id
        match self.story.business:
            case "transfer":
                self.plane.transfers.create(owner, volume_id)
            case "upload":
                self.image = api.upload_image(owner, volume_id, "image")
            case "backup":
                self.backup = self.plane.backups.create(owner, volume_id)
            case "reimage":
                api.reimage(owner, volume_id, self.image.id)
            case "restore":
                self.plane.backups.restore(owner, self.backup.id, volume_id)
        self.asked = self.volume().status

    def write(self, text: str) -> None:
        """The owner writes both pages."""
        pages = dict.fromkeys((EARLY, LATE), text.encode().ljust(PAGE, b"\0"))
        self.attached(lambda disk: disk.write_pages(pages))

    def attached(self, use: Callable[[Disk], Any]) -> Any:
        """What a server finds that has the volume for a moment."""
        nova = self.cloud.nova
        server = nova.create_server("server")
        disk = self.act("nova", nova.attach_volume, server, self.volume_id)
        try:
            return use(disk)
        finally:
            self.act("nova", nova.detach_volume, server, self.volume_id)

    def left(self) -> list[str | None]:
        """As in `Story`."""
        volume = self.volume()
        others = [row for row_id, row in self.cloud.database.volumes.items() if row_id != self.volume_id]
        found = [self.asked, volume.status, volume.migration_status]
        found += [self.attached(lambda disk: what_it_says(disk.device)), *[row["status"] for row in others]]
        if self.story.business == "upload":
            image = self.plane.images.show(self.image.id)
            found.append(f"image {image.status}: {what_it_says(self.plane.images.disks[image.id])}")
        if self.story.business in ("backup", "restore"):
            backup = self.plane.backups.get_backup(self.owner, self.backup.id)
            disk = self.plane.backup_manager.store.get(backup.id)
            found.append(f"backup {backup.status}" + (f": {what_it_says(disk)}" if disk else ""))
        return found


def disk_that_says(text: str) -> MemoryDevice:
    """A disk of 1 GiB with a text in both pages."""
    disk = MemoryDevice(GIB)
    for page in (EARLY, LATE):
        disk.write(page * PAGE, text.encode())
    return disk


def what_it_says(disk: Any) -> str:
    """The text in both pages."""
    pages = (disk.read(page * PAGE, PAGE).rstrip(b"\0").decode() for page in (EARLY, LATE))
    return " ".join(page or "(zero)" for page in pages)


def tell(story: Story, launch: Launch) -> list[str | None]:
    """Let a story happen; what is left of it."""
    scenario = Interference(story, launch)
    try:
        scenario.run()
        return scenario.left()
    finally:
        scenario.close()


def told_by_the_real_cinder() -> dict[str, list[str | None]]:
    """What is left of every story, in a process of its own, which alone imports Cinder."""
    from harness.cinder_engine.boot import Process

    with Process(Deployment.default()) as process:
        from harness.cinder_engine.cloud import CinderCloud

        launch = partial(CinderCloud, process, backups=True)
        return {name: tell(story, launch) for name, story in STORIES.items()}


@pytest.fixture(scope="module")
def told() -> dict[str, list[str | None]]:
    """What is left on the real Cinder."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(told_by_the_real_cinder).result()


@pytest.mark.parametrize("name", STORIES)
def test_the_simulation_tells_the_story(name: str) -> None:
    """Completion writes the status that the volume had before, over whatever it is by then."""
    assert tell(STORIES[name], Cloud) == STORIES[name].left


@pytest.mark.skipif(
    installed() is None, reason="Cinder is not installed: pip install 'cinder-crucible[cinder]'"
)
@pytest.mark.parametrize("name", STORIES)
def test_cinder_tells_the_same(told: dict[str, list[str | None]], name: str) -> None:
    """With its own API, services and drivers."""
    assert told[name] == STORIES[name].left
