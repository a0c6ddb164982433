"""What of a cloud is saved, and how it comes back.

Saved are the records, the quotas, the keys, who is at work on what, and the time. Not saved is what dies with a
process: tasks, messages on the bus, what a service holds in memory. A start after that is a start of all
services at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from harness import errors
from harness.control_plane.cloud import Cloud
from harness.control_plane.database import Database
from harness.control_plane.manager_base import host_connector
from harness.control_plane.start import Worker
from harness.model import Attachment, Snapshot, Volume, service_host
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
    """The saved state of one cloud; without a file, nothing is saved. `epoch` is when virtual time began."""

    def __init__(self, saved: SavedRecords | None, seed: int, now: datetime) -> None:
        self._saved = saved
        self._cloud: Cloud | None = None
        self._written: dict[str, bytes] = {}
        self._rest: dict[str, Any] = saved.rest() if saved else {}
        life = self._rest.get("life", {"starts": 0, "epoch": now.isoformat(), "now_us": 0})
        self.epoch = datetime.fromisoformat(life["epoch"])
        self._starts = life["starts"] + 1
        elapsed_us = (now - self.epoch) // timedelta(microseconds=1)
        self._now_us = max(life["now_us"], elapsed_us)
        # Identifiers are drawn from a stream: another one at each start, or they would repeat.
        self.database = Database(seed + self._starts - 1)
        if saved:
            self.database.load(saved.rows())

    def set_clock(self, kernel: Kernel) -> None:
        """Virtual time goes on where it was, or where the clock on the wall is now."""
        kernel.now_us = self._now_us

    def restore(self, cloud: Cloud) -> None:
        """Bring back quotas, keys, and who was at work on what; to be called before services start."""
        if "quotas" in self._rest:
            cloud.quotas.load(self._rest["quotas"])
        for name, key in self._rest.get("keys", {}).items():
            cloud.world.keys.setdefault(name, bytes.fromhex(key))
        for record_id, (table, *work) in self._rest.get("workers", {}).items():
            self.database.workers[record_id] = Worker(_CLEANABLE[table], *work)

    def begin(self, cloud: Cloud) -> None:
        """Give servers their disks again; from now on changes are written."""
        for row in list(self.database.attachments.values()):
            if row["attach_status"] == "attached" and row["instance_uuid"]:
                _attach_again(cloud, self.database.get_attachment(row["id"]))
        self._cloud = cloud
        self.write()

    def write(self) -> None:
        """Write what has changed since the last time."""
        if self._saved is None or self._cloud is None:
            return
        changed = self.database.take_changes()
        rest = self._changed_rest(self._cloud)
        if changed or rest:
            self._saved.write(changed, rest)

    def _changed_rest(self, cloud: Cloud) -> dict[str, bytes]:
        now_us = cloud.simulation.kernel.now_us
        values: dict[str, Any] = {
            "quotas": cloud.quotas.dump(),
            "keys": {name: key.hex() for name, key in cloud.world.keys.items()},
            "workers": {
                record_id: (work.record.TABLE, *work[1:]) for record_id, work in self.database.workers.items()
            },
            "life": {
                "starts": self._starts,
                "epoch": self.epoch.isoformat(),
                "now_us": now_us - now_us % 1_000_000,
            },
        }
        encoded = {name: msgspec.json.encode(value) for name, value in values.items()}
        fresh = {name: content for name, content in encoded.items() if self._written.get(name) != content}
        self._written.update(fresh)
        return fresh


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
