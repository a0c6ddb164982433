"""What of a cloud is saved, and how it comes back.

Saved are the records, the quotas, the keys, images and what is in them and in backups, messages to
users, who is at work on what, and the time. Not saved is what dies with a process: tasks, messages on the
bus, what a service holds in memory. A start after that is a start of all services at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from fake_backends.block_store import MemoryDevice
from fake_backends.files.directory import Directory
from harness import errors
from harness.control_plane.cloud import Cloud
from harness.control_plane.database import Database
from harness.control_plane.images import Image
from harness.control_plane.manager_base import host_connector
from harness.control_plane.start import Worker
from harness.model import Attachment, Snapshot, Volume
from harness.record import service_host
from harness.rest.kept_disks import KeptDisks
from harness.rest.saved import SavedRecords
from harness.sim.kernel import Kernel
from harness.sim.simulation import Simulation

_CLEANABLE: Mapping[str, type[Volume] | type[Snapshot]] = {Volume.TABLE: Volume, Snapshot.TABLE: Snapshot}


class RecordedSimulation(Simulation):
    """Writes down what has changed before it goes on to the next named point."""

    def __init__(self, write: Callable[[], None]) -> None:
        super().__init__()
        self._write = write

    def visit(self, name: str, detail: str = "", *, cost_us: int = 0) -> None:
        self._write()
        super().visit(name, detail, cost_us=cost_us)


class State:
    """The saved state of one cloud; without a file, nothing is saved. `epoch` is when virtual time began.

    `home` is where disks of images and backups are kept.
    """

    def __init__(self, saved: SavedRecords | None, home: Directory | None, seed: int, now: datetime) -> None:
        self._saved = saved
        self._cloud: Cloud | None = None
        self._seen: dict[str, Any] = {}
        self._disks: dict[str, KeptDisks] = {}
        if home is not None:
            self._disks = {name: KeptDisks(home.directory(name)) for name in ("backups", "images")}
        self._rest: dict[str, Any] = saved.rest() if saved else {}
        life = self._rest.get("life", {"starts": 0, "epoch": now.isoformat(), "now_us": 0})
        self.epoch = datetime.fromisoformat(life["epoch"])
        self._starts = life["starts"] + 1
        elapsed_us = (now - self.epoch) // timedelta(microseconds=1)
        self._now_us = max(life["now_us"], elapsed_us)
        # Identifiers are drawn from a stream: another one at each start, or they would repeat.
        self.seed = seed + self._starts - 1
        self.database = Database(self.seed)
        if saved:
            self.database.load(saved.rows())

    def set_clock(self, kernel: Kernel) -> None:
        """Virtual time goes on where it was, or where the clock on the wall is now."""
        kernel.now_us = self._now_us

    def restore(self, cloud: Cloud) -> None:
        """Bring back what is no record; to be called before services start."""
        if "quotas" in self._rest:
            cloud.quotas.load(self._rest["quotas"])
        for name, key in self._rest.get("keys", {}).items():
            cloud.world.keys.setdefault(name, bytes.fromhex(key))
        for record_id, (table, *work) in self._rest.get("workers", {}).items():
            self.database.workers[record_id] = Worker(_CLEANABLE[table], *work)
        for image_id, fields in self._rest.get("images", {}).items():
            cloud.images.images[image_id] = Image(**fields)
        cloud.user_messages.load(self._rest.get("messages", ()))
        for name, disks in self._disks.items():
            disks.load(self._stores(cloud)[name])

    @staticmethod
    def _stores(cloud: Cloud) -> dict[str, dict[str, MemoryDevice]]:
        return {"backups": cloud.backup_manager.store, "images": cloud.images.disks}

    def begin(self, cloud: Cloud) -> None:
        """Give servers their disks again; from now on changes are written."""
        for row in list(self.database.attachments.values()):
            if row["attach_status"] == "attached" and row["instance_uuid"]:
                _attach_again(cloud, self.database.get_attachment(row["id"]))
        self._cloud = cloud
        self.write()

    def write(self) -> None:
        """Write what has changed since the last time; disks before the records that say that they are whole."""
        if self._saved is None or self._cloud is None:
            return
        changed = self.database.take_changes()
        rest = self._changed_rest(self._cloud)
        if changed or rest:
            self._keep_disks(self._cloud)
            self._saved.write(changed, rest)

    def _keep_disks(self, cloud: Cloud) -> None:
        stores, backups, images = self._stores(cloud), self.database.backups, cloud.images.images
        whole: dict[str, Callable[[str], bool]] = {
            "backups": lambda name: name in backups and backups[name]["status"] == "available",
            "images": lambda name: name in images and images[name].status == "active",
        }
        for name, disks in self._disks.items():
            disks.keep(stores[name], whole[name])

    def _changed_rest(self, cloud: Cloud) -> dict[str, bytes]:
        now_us = cloud.simulation.kernel.now_us
        values: dict[str, Any] = {
            "quotas": cloud.quotas.dump(),
            "keys": dict(cloud.world.keys),
            "workers": dict(self.database.workers),
            "images": dict(cloud.images.images),
            "messages": cloud.user_messages.dump(),
            "life": (self._starts, self.epoch, now_us - now_us % 1_000_000),
        }
        fresh = {name: value for name, value in values.items() if self._seen.get(name) != value}
        self._seen.update(fresh)
        return {name: msgspec.json.encode(_plain(name, value)) for name, value in fresh.items()}


def _plain(name: str, value: Any) -> Any:
    """For JSON."""
    if name == "keys":
        return {key: content.hex() for key, content in value.items()}
    if name == "workers":
        return {record_id: (work.record.TABLE, *work[1:]) for record_id, work in value.items()}
    if name == "life":
        starts, epoch, now_us = value
        return {"starts": starts, "epoch": epoch.isoformat(), "now_us": now_us}
    return value


def _attach_again(cloud: Cloud, attachment: Attachment) -> None:
    """A server has its disk again: what a host's kernel knew of exports and sessions died with the process.

    A volume that cannot be connected stays attached in the records only, as with a server that is shut off.
    """
    nova = cloud.nova
    name = attachment.instance_uuid or ""
    server = nova.servers.get(name) or nova.create_server(name)
    try:
        volume = cloud.database.get_volume(attachment.volume_id)
        manager = cloud.managers[service_host(volume.host or "")]
        connector = host_connector(server.host)
        manager.driver.create_export(manager.admin, volume, connector)
        info = manager.driver.initialize_connection(volume, connector)
        nova.plug(server, attachment, info)
    except (errors.ServiceError, errors.StorageError, KeyError) as error:
        cloud.simulation.record("server has lost its disk", f"{name}: {error}")
