"""The backup service: Cinder's own manager, over a store in memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cinder import context as cinder_context
from cinder.backup import driver as backup_driver
from cinder.backup import manager as backup_manager
from cinder.backup import rpcapi as backup_rpcapi

from fake_backends.block_store import CHUNK, MemoryDevice
from harness.cinder_engine.seams.copying import SlowReader
from harness.cinder_engine.seams.files import DeviceFile
from harness.cinder_engine.seams.rpc import Endpoint
from harness.control_plane.backup_manager import BACKUP_HOST
from harness.model import GIB

if TYPE_CHECKING:
    from harness.cinder_engine.cloud import CinderCloud

ACTOR = "c-bak"
TOPIC = "cinder-backup"


class BackupService:
    """A process of cinder-backup, ready when it is made. `store` has the disks by the ids of their backups."""

    def __init__(self, cloud: CinderCloud, availability_zone: str) -> None:
        self.store: dict[str, MemoryDevice] = {}
        cloud.install(BACKUP_HOST, TOPIC, availability_zone, backup_rpcapi.BackupAPI.RPC_API_VERSION)
        self.manager = backup_manager.BackupManager(host=BACKUP_HOST, service_name="backup")
        self.manager.service = partial(Store, cloud, self.store)
        cloud.messaging.register(TOPIC, ACTOR, Endpoint(self.manager, cloud))
        cloud.act(ACTOR, self.manager.init_host)
        # Whether the driver works is known by now, and the scheduler asks for it.
        cloud.act(ACTOR, lambda: self.manager.publish_service_capabilities(cinder_context.get_admin_context()))


class Store(backup_driver.BackupDriver):  # type: ignore[misc]  # Cinder is untyped
    """A driver that keeps whole disks, at the pace of a copy."""

    def __init__(self, cloud: CinderCloud, store: dict[str, MemoryDevice], context: Any) -> None:
        super().__init__(context)
        self._simulation = cloud.simulation
        self._store = store

    def check_for_setup_error(self) -> None:
        """Nothing can be wrong with it."""

    def backup(self, backup: Any, volume_file: Any, backup_metadata: bool = False) -> None:
        """The first GiB of a file object, as many as the volume has."""
        content = MemoryDevice(backup.size * GIB)
        source = SlowReader(volume_file, content.size, self._simulation)
        for offset in range(0, content.size, CHUNK):
            content.write(offset, source.read(CHUNK))
        self._store[backup.id] = content

    def restore(self, backup: Any, volume_id: str, volume_file: Any, volume_is_new: bool = False) -> None:
        """Write the disk over a file object, from its beginning to its end."""
        content = self._store[backup.id]
        source = SlowReader(DeviceFile(content), content.size, self._simulation)
        volume_file.seek(0)
        for _ in range(0, content.size, CHUNK):
            volume_file.write(source.read(CHUNK))

    def delete_backup(self, backup: Any) -> None:
        """An absent one is fine."""
        self._store.pop(backup.id, None)
