"""The files of a volume that has, or had, snapshots.

A snapshot freezes the file that the volume is written to, and a new qcow2 file over it becomes the active
one. ``<volume>.info`` says which file is active, and which file was begun with which snapshot: what a
snapshot shows is the *backing file* of that one. With the first snapshot a raw volume becomes a qcow2 one
(`admin_metadata` ``format``); ``base_format`` remembers what it was.

Source: `cinder.volume.drivers.remotefs:RemoteFSSnapDriverBase`.
"""

from __future__ import annotations

import json

from fake_backends.nfs import qemu_img
from fake_backends.nfs.share import Share
from fake_backends.world import Compute
from harness.errors import InvalidVolume, RemoteFSException
from harness.model import GIB, Volume

ACTIVE = "active"
INFO = ".info"

_MAY_CREATE = ("available", "in-use", "backing-up")
_MAY_DELETE = ("available", "in-use", "backing-up", "deleting", "downloading")

SnapshotInfo = dict[str, str]


def read_info(share: Share, volume_name: str) -> SnapshotInfo:
    """File by snapshot id, and the active file; empty for a volume that never had a snapshot."""
    name = volume_name + INFO
    if name not in share:
        return {}
    info: SnapshotInfo = json.loads(share.read_text(name))
    return info


def active_file(share: Share, volume_name: str) -> str:
    """The file that the volume is written to."""
    return read_info(share, volume_name).get(ACTIVE, volume_name)


def objects(share: Share) -> set[str]:
    """The volumes in a share, by the names of their files.

    What belongs to a volume with snapshots counts as the volume; a part that nothing leads to, and an
    ``.info`` that leads nowhere, count by their own names.
    """
    names = {name for name in share.names() if name.startswith("volume-")}
    volumes: set[str] = set()
    parts: set[str] = set()
    for name in sorted(names):
        volume = name.removesuffix(INFO)
        active = active_file(share, volume)
        if name.endswith(INFO) and active in share:
            parts.update((name, *qemu_img.chain(share, active)))
            volumes.add(volume)
    return volumes | (names - parts)


def create(share: Share, volume: Volume, snapshot_id: str, compute: Compute | None) -> None:
    """Freeze the active file, with Nova's help if the volume is attached. InvalidVolume by its status."""
    _require(volume, _MAY_CREATE)
    info = read_info(share, volume.name)
    backing = info.get(ACTIVE, volume.name)
    new = f"{volume.name}.{snapshot_id}"
    qemu_img.create(share, new, volume.size * GIB, backing=backing)
    share.chmod(new, share.file(backing).mode)
    if _is_attached(volume):
        _nova(compute).create_volume_snapshot(
            volume.id, {"type": "qcow2", "new_file": new, "snapshot_id": snapshot_id}
        )
        # Nova connects by this when the server starts again.
        attachment = volume.volume_attachment[0]
        attachment.connection_info = {**(attachment.connection_info or {}), "name": new, "format": "qcow2"}
        attachment.save()
    if "base_format" not in volume.admin_metadata and set(info) <= {ACTIVE}:
        volume.admin_metadata["base_format"] = volume.admin_metadata["format"]
    volume.admin_metadata["format"] = "qcow2"
    volume.save()
    _write_info(share, volume, {**info, ACTIVE: new, snapshot_id: new})


def delete(share: Share, volume: Volume, snapshot_id: str, compute: Compute | None) -> None:
    """Merge the file that was begun with the snapshot into the one below. An unknown snapshot is success."""
    _require(volume, _MAY_DELETE)
    info = read_info(share, volume.name)
    if snapshot_id not in info:
        return
    file = info[snapshot_id]
    base = qemu_img.info(share, file).backing_file
    if base is None:
        if file != info[ACTIVE]:
            share.remove(file)
            _write_info(share, volume, _without(info, snapshot_id))
        return
    if _is_attached(volume):
        _delete_online(share, volume, snapshot_id, info, base, _nova(compute))
        return
    if file == info[ACTIVE]:
        qemu_img.commit(share, file)
        share.remove(file)
        info[ACTIVE] = base
        if base not in _without(info, ACTIVE).values():
            _restore_format(share, volume, base)
    else:
        above = qemu_img.above(share, info[ACTIVE], file)
        qemu_img.commit(share, file)
        share.remove(file)
        qemu_img.rebase(share, above, base)
    _write_info(share, volume, _without(info, snapshot_id))


def _delete_online(
    share: Share, volume: Volume, snapshot_id: str, info: SnapshotInfo, base: str, compute: Compute
) -> None:
    """The active file never changes: what was below the youngest snapshot is pulled into it.

    So the volume's first file can disappear, and the volume stays qcow2.
    """
    file = info[snapshot_id]
    below = next((each for each, name in info.items() if name == base and each != ACTIVE), None)
    if file == info[ACTIVE]:
        obsolete, target = base, None
        merged = qemu_img.info(share, base).backing_file if below is not None else None
        if below is not None:
            info[below] = file
        else:
            volume.admin_metadata["base_format"] = volume.admin_metadata["format"]
            volume.save()
    else:
        obsolete, merged, target = file, file, base
    compute.delete_volume_snapshot(
        volume.id, {"file_to_merge": merged, "merge_target_file": target, "type": "qcow2"}
    )
    _write_info(share, volume, _without(info, snapshot_id))
    share.remove(obsolete)


def _restore_format(share: Share, volume: Volume, base: str) -> None:
    """The last snapshot is gone: the volume is again of the format that it had before the first."""
    metadata = volume.admin_metadata
    if "base_format" in metadata:
        metadata["format"] = metadata["base_format"]
    elif qemu_img.info(share, base).file_format == "raw":
        metadata["base_format"] = metadata["format"] = "raw"
    volume.save()


def _require(volume: Volume, statuses: tuple[str, ...]) -> None:
    if volume.status not in statuses:
        raise InvalidVolume(
            f"Invalid volume state. Acceptable states for this operation: {statuses}. "
            f"Current volume state: {volume.status}."
        )


def _is_attached(volume: Volume) -> bool:
    return volume.attach_status == "attached"


def _nova(compute: Compute | None) -> Compute:
    if compute is None:
        raise RemoteFSException("Call to Nova failed: there is no compute service")
    return compute


def _without(info: SnapshotInfo, key: str) -> SnapshotInfo:
    return {each: file for each, file in info.items() if each != key}


def _write_info(share: Share, volume: Volume, info: SnapshotInfo) -> None:
    share.write_text(volume.name + INFO, json.dumps(info, indent=1, sort_keys=True))
