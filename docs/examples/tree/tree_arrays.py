"""Fakes of what two drivers of Cinder's tree talk to: SPDK's JSON-RPC, and StorPool's API.

They know the calls that the drivers make when volumes are created, moved, attached, snapshotted, grown, cloned
and deleted, and no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from fake_backends.array import Array, Place, Request, Response
from fake_backends.block_store import MemoryDevice
from fake_backends.fabric import ANYBODY
from harness.errors import NotFound

GIB = 1 << 30
Answer = dict[str, Any]


class Spdk(Array):
    """An SPDK target with one logical-volume store, exported over NVMe to anybody."""

    CLUSTER = 1 << 22
    CLUSTERS = 1000 * GIB // CLUSTER

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.volumes: dict[str, MemoryDevice] = {}
        self.subsystems: dict[str, list[tuple[str, int]]] = {}

    def objects(self) -> Iterator[str]:
        yield from self.volumes

    def http(self, request: Request) -> Response:
        call = request.json()
        method: Callable[..., Any] | None = getattr(self, call["method"], None)
        if method is None:
            return Response.of_json({"error": {"code": -32601, "message": "Method not found"}}, 400)
        try:
            result = method(**call.get("params", {}))
        except KeyError as error:
            return Response.of_json({"error": {"code": -19, "message": f"No such device: {error}"}}, 400)
        return Response.of_json({"jsonrpc": "2.0", "id": call["id"], "result": result})

    def bdev_lvol_get_lvstores(self) -> list[Answer]:
        used = sum(device.size // self.CLUSTER for device in self.volumes.values())
        store = {"name": "lvs", "uuid": "lvs-uuid", "cluster_size": self.CLUSTER}
        return [{**store, "total_data_clusters": self.CLUSTERS, "free_clusters": self.CLUSTERS - used}]

    def bdev_get_bdevs(self, name: str | None = None) -> list[Answer]:
        return [
            {
                "name": f"uuid-of-{each}",
                "aliases": [f"lvs/{each}"],
                "driver_specific": {"lvol": {"lvol_store_uuid": "lvs-uuid"}},
            }
            for each in self.volumes
            if name in (None, f"uuid-of-{each}")
        ]

    def bdev_lvol_create(self, lvol_name: str, size: int, uuid: str) -> str:
        self.volumes[lvol_name] = MemoryDevice(size)
        return f"uuid-of-{lvol_name}"

    def bdev_lvol_delete(self, name: str) -> bool:
        for nqn, namespaces in list(self.subsystems.items()):
            if any(bdev == name for bdev, _ in namespaces):
                self.nvmf_delete_subsystem(nqn)
        del self.volumes[_volume(name)]
        return True

    def bdev_lvol_resize(self, name: str, size: int) -> bool:
        self.volumes[_volume(name)].size = size
        return True

    def bdev_lvol_snapshot(self, lvol_name: str, snapshot_name: str) -> str:
        self.volumes[snapshot_name] = _copy(self.volumes[_volume(lvol_name)])
        return f"uuid-of-{snapshot_name}"

    def bdev_lvol_clone(self, snapshot_name: str, clone_name: str) -> str:
        self.volumes[clone_name] = _copy(self.volumes[_volume(snapshot_name)])
        return f"uuid-of-{clone_name}"

    def bdev_lvol_inflate(self, name: str) -> bool:
        return name is not None

    def nvmf_create_transport(self, trtype: str, max_queue_depth: int) -> bool:
        return True

    def nvmf_get_subsystems(self) -> list[Answer]:
        discovery: list[Answer] = [{"nqn": "nqn.2014-08.org.nvmexpress.discovery", "namespaces": []}]
        return discovery + [
            {"nqn": nqn, "namespaces": [{"bdev_name": bdev, "nsid": nsid} for bdev, nsid in namespaces]}
            for nqn, namespaces in self.subsystems.items()
        ]

    def nvmf_create_subsystem(self, nqn: str, allow_any_host: bool, serial_number: str) -> bool:
        self.subsystems[nqn] = []
        return True

    def nvmf_subsystem_add_listener(self, nqn: str, listen_address: Answer) -> bool:
        return nqn in self.subsystems

    def nvmf_subsystem_add_ns(self, nqn: str, namespace: Answer) -> int:
        name, nsid = _volume(namespace["bdev_name"]), int(namespace["nsid"])
        self.place.fabric.present(name, self.volumes[name], target=nqn, initiator=ANYBODY, lun=nsid)
        self.subsystems[nqn].append((namespace["bdev_name"], nsid))
        return nsid

    def nvmf_delete_subsystem(self, nqn: str) -> bool:
        for bdev, _ in self.subsystems.pop(nqn):
            self.place.fabric.withdraw(_volume(bdev))
        return True


def _volume(bdev: str | None) -> str:
    """The volume behind a block device. KeyError for none."""
    if bdev is None:
        raise KeyError(bdev)
    return bdev.removeprefix("uuid-of-")


def _copy(device: MemoryDevice) -> MemoryDevice:
    return MemoryDevice(device.size, device.chunks)


class StorPool(Array):
    """A StorPool cluster, and what its client on each host attaches."""

    PROTOCOLS = ("storpool",)
    TOTAL = 1000 * GIB
    AG = 1 << 29

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.volumes: dict[str, MemoryDevice] = {}
        self.snapshots: dict[str, MemoryDevice] = {}

    @classmethod
    def install(cls, replace: Callable[[Any, str, Any], Any], current: Callable[[], Any]) -> None:
        """There is no /etc/storpool.conf here."""
        from os_brick.initiator import storpool_utils

        conf = {**storpool_utils.STORPOOL_CONF_DEFAULTS, "SP_AUTH_TOKEN": "1234567890", "SP_OURID": "1"}
        replace(storpool_utils, "get_conf", lambda section=None, use_env=True: conf)

    def objects(self) -> Iterator[str]:
        for name in (*self.volumes, *self.snapshots):
            yield re.sub(r"^os--(snap--none--)?", "", name)

    def connect(self, connection_info: Answer, connector: Answer) -> MemoryDevice:
        name = f"os--volume-{connection_info['data']['volume']}"
        if name not in self.volumes:
            raise NotFound(f"storpool: no volume {name}")
        return self.volumes[name]

    def http(self, request: Request) -> Response:
        call = request.path.removeprefix("/ctrl/1.0/").removeprefix("MultiCluster/")
        command, _, name = call.partition("/")
        arguments = [each for each in (name, request.json()) if each]
        try:
            answer = getattr(self, f"_{command}")(*arguments)
        except KeyError:
            return Response.of_json({"error": {"name": "objectDoesNotExist", "descr": name}}, 404)
        return Response.of_json({"data": answer})

    def _DisksList(self) -> Answer:
        used = sum(device.size for device in self.volumes.values()) * 3 // self.AG
        count = self.TOTAL * 3 // self.AG
        disk = {"generationLeft": -1, "agCount": count, "agAllocated": used, "agFree": count - used}
        return {"1": disk}

    def _VolumeTemplatesList(self) -> list[Answer]:
        return []

    def _VolumesList(self) -> list[Answer]:
        return [{"name": name} for name in self.volumes]

    def _VolumesReassign(self, wanted: list[Answer]) -> Answer:
        for each in wanted:
            known = self.volumes if "volume" in each else self.snapshots
            known[each.get("volume") or each["snapshot"]]
        return {"ok": True}

    def _VolumeCreate(self, wanted: Answer) -> Answer:
        source = None
        if "parent" in wanted:
            source = self.snapshots[wanted["parent"]]
        elif "baseOn" in wanted:
            source = self.volumes[wanted["baseOn"]]
        self.volumes[wanted["name"]] = MemoryDevice(wanted["size"], source.chunks if source else None)
        return {"ok": True}

    def _VolumeUpdate(self, name: str, wanted: Answer) -> Answer:
        device = self.volumes[name]
        device.size = wanted.get("size", device.size)
        if "rename" in wanted:
            self.volumes[wanted["rename"]] = self.volumes.pop(name)
        return {"ok": True}

    def _VolumeDelete(self, name: str) -> Answer:
        del self.volumes[name]
        return {"ok": True}

    def _VolumeSnapshot(self, name: str, wanted: Answer) -> Answer:
        self.snapshots[wanted["name"]] = _copy(self.volumes[name])
        return {"ok": True}

    def _SnapshotDelete(self, name: str) -> Answer:
        del self.snapshots[name]
        return {"ok": True}
