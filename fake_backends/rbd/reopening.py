"""Opening a cluster that was kept in a directory: what every record says, and what follows from it.

Records speak of parents only. Which clones a snapshot has, what is used, and what a killed process left
half-done follows: an image without a record was being made, one whose directory is hidden was being removed,
and a snapshot that only waited for its last clone to go is removed.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from fake_backends.block_store import CHUNK
from fake_backends.files.directory import Directory
from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.groups import Group
from fake_backends.rbd.image import Image, first_bytes
from fake_backends.rbd.image_files import ImageFiles, ObjectFiles, Version
from fake_backends.rbd.layers import Layer, Parent, Snapshot
from fake_backends.rbd.objects import Objects
from fake_backends.rbd.pool import Pool, Trashed
from fake_backends.rbd.records import (
    CLUSTER_RECORD,
    IMAGE_RECORD,
    NAMESPACE_PREFIX,
    POOL_RECORD,
    ClusterRecord,
    ImageRecord,
    LayerRecord,
    ParentRecord,
    PoolRecord,
    object_set,
)
from fake_backends.rbd.written import note_write
from harness.errors import InputError
from harness.sim.points import QUIET, Points

_T = TypeVar("_T")
_Key = tuple[str, str, str]
"""Pool, namespace and id of an image."""


def open_cluster(name: str, home: Directory, points: Points = QUIET) -> Cluster:
    """The cluster that is kept in `home`, or a new one there. InputError for a damaged record."""
    if CLUSTER_RECORD not in home:
        cluster = Cluster(name, points=points, home=home)
        record = ClusterRecord(name=name, size=cluster.size, clone_format=cluster.clone_format)
        home.replace(CLUSTER_RECORD, msgspec.json.encode(record))
        return cluster
    known = _decoded(home, CLUSTER_RECORD, ClusterRecord)
    cluster = Cluster(known.name, points=points, size=known.size, clone_format=known.clone_format, home=home)
    found = [(_decoded(each, POOL_RECORD, PoolRecord), each) for each in _directories(home, POOL_RECORD)]
    for pool, directory in sorted(found, key=lambda pair: pair[0].number):
        cluster.pools[pool.name] = Pool(cluster, pool.name, pool.max_bytes, pool.number, directory)
        _take_up(cluster.pools[pool.name], pool)
    home.sweep()
    for pool_ in cluster.pools.values():
        _restore_namespaces(pool_)
    _Images(cluster).restore_all()
    return cluster


def _take_up(pool: Pool, record: PoolRecord) -> None:
    """What a record says of a pool beside its images."""
    pool.mirror_mode = record.mirror_mode
    pool.metadata = dict(record.metadata)
    pool.groups_made = record.groups_made
    for name, each in record.groups.items():
        pool.groups[name] = Group(each.number)
        pool.groups[name].snapshots.update(each.snapshots)


def _restore_namespaces(pool: Pool) -> None:
    assert pool.home is not None
    for name in pool.home.names():
        if not name.startswith(NAMESPACE_PREFIX):
            continue
        directory = pool.home.directory(name)
        if POOL_RECORD not in directory:
            pool.home.remove_directory(name)
            continue
        record = _decoded(directory, POOL_RECORD, PoolRecord)
        _take_up(pool.add_namespace(record.namespace), record)


class _Images:
    """The images of a cluster while they come back, parents before their clones."""

    def __init__(self, cluster: Cluster) -> None:
        self._pools = {
            (part.name, part.namespace_name): part
            for pool in cluster.pools.values()
            for part in (pool, *pool.namespaces.values())
        }
        self._records: dict[_Key, ImageRecord] = {}
        self._images: dict[_Key, Image] = {}
        for place, pool in self._pools.items():
            assert pool.home is not None
            pool.home.sweep()
            for image_id in pool.home.names():
                if image_id == POOL_RECORD or image_id.startswith(NAMESPACE_PREFIX):
                    continue
                directory = pool.home.directory(image_id)
                if IMAGE_RECORD in directory:
                    self._records[*place, image_id] = _decoded(directory, IMAGE_RECORD, ImageRecord)
                else:
                    pool.home.remove_directory(image_id)

    def restore_all(self) -> None:
        for key in self._records:
            self._image(*key)
        for image in self._images.values():
            image.recount()
        for image in self._images.values():
            for snapshot in list(image.snapshots):
                if snapshot.trashed_from is not None and not snapshot.children:
                    image.drop_snapshot(snapshot)
        for image in self._images.values():
            self._rejoin_group(image)

    def _rejoin_group(self, image: Image) -> None:
        """An image whose group is gone was being taken out of it when the process was killed."""
        traits = image.traits
        if not traits.group:
            return
        place, _, namespace = traits.group_pool.partition("/")
        groups = self._pools[place, namespace].groups
        if traits.group in groups:
            groups[traits.group].images.append(image)
        else:
            traits.group = ""
            image.save()

    def _image(self, pool_name: str, namespace: str, image_id: str) -> Image:
        key = pool_name, namespace, image_id
        if key not in self._images:
            self._images[key] = self._restored(self._pools[pool_name, namespace], image_id, self._records[key])
        return self._images[key]

    def _restored(self, pool: Pool, image_id: str, record: ImageRecord) -> Image:
        assert pool.home is not None
        files = ImageFiles(pool.home, image_id)
        written = files.restore(record)
        image = Image(pool, image_id, record.name, record.head.size, record.features, record.order, files)
        image.metadata = dict(record.metadata)
        image.traits = record.traits
        image.last_snapshot_id = record.last_snapshot_id
        parents: dict[ParentRecord, Parent] = {}
        self._fill(image.head, record.head, parents)
        for each in record.snapshots:
            snapshot = Snapshot(each.id, each.name, Layer(each.layer.size, files.objects()))
            self._fill(snapshot, each.layer, parents)
            snapshot.protected = each.protected
            snapshot.trashed_from = each.trashed_from
            snapshot.created_s = each.created_s
            snapshot.group = each.group
            snapshot.changed = object_set(each.changed)
            snapshot.written = object_set(each.written)
            image.snapshots.append(snapshot)
        for parent in parents.values():
            parent.snapshot.children.append(image)
        _add_written(image, files, written)
        if record.trash_delay_s is None:
            pool.images[image.name] = image
        else:
            pool.trash[image_id] = Trashed(image, record.trash_delay_s, record.trashed_s)
        pool.images_made = max(pool.images_made, int(image_id.removeprefix(f"{pool.number:x}"), 16))
        return image

    def _fill(self, layer: Layer, record: LayerRecord, parents: dict[ParentRecord, Parent]) -> None:
        """Let a layer, which is empty, show what its record says."""
        objects = layer.chunks
        assert isinstance(objects, ObjectFiles)
        layer.own = object_set(record.own)
        layer.inherited = object_set(record.inherited)
        layer.filled = object_set(record.filled)
        layer.overlap = record.overlap
        for number, generation in record.own_versions():
            objects.hold(number, Version(objects.files, number, generation))
        if record.parent is not None:
            if record.parent not in parents:
                parents[record.parent] = self._parent(record.parent)
            layer.parent = parents[record.parent]
            _inherit(layer, objects, layer.parent.snapshot.chunks)

    def _parent(self, record: ParentRecord) -> Parent:
        image = self._image(record.pool, record.namespace, record.image)
        snapshot = next(each for each in image.snapshots if each.id == record.snapshot)
        return Parent(image, snapshot, record.clone_format)


def _inherit(layer: Layer, objects: ObjectFiles, parent: Objects) -> None:
    """Let a layer hold what it sees of its parent's snapshot, up to the overlap."""
    assert isinstance(parent, ObjectFiles)
    for number, version in parent.versions.items():
        if number not in layer.inherited:
            continue
        objects.hold(number, version)
        seen = layer.overlap - number * CHUNK
        if seen < CHUNK:
            rest = first_bytes(parent[number], seen)
            if rest:
                objects.trimmed[number] = rest
            else:
                del objects[number]
        elif number in parent.trimmed:
            objects.trimmed[number] = parent.trimmed[number]


def _add_written(image: Image, files: ImageFiles, written: list[int]) -> None:
    """Objects whose content was written after the record was: they are the image's own, and differ.

    Which bytes of them were written is not known any more: they count as a whole.
    """
    head = image.head
    assert isinstance(head.chunks, ObjectFiles)
    for number in written:
        head.chunks.hold(number, Version(files, number, files.generation))
        head.own.add(number, number + 1)
        head.inherited.remove(number, number + 1)
        if image.snapshots:
            image.snapshots[-1].changed.add(number, number + 1)
        note_write(image, number * CHUNK, min((number + 1) * CHUNK, head.size))


def _directories(home: Directory, record: str) -> list[Directory]:
    """Those below `home` that have such a record; what has none yet was being made, and is removed."""
    found: list[Directory] = []
    for name in home.names():
        if name == CLUSTER_RECORD:
            continue
        directory = home.directory(name)
        if record in directory:
            found.append(directory)
        else:
            home.remove_directory(name)
    return found


def _decoded(directory: Directory, name: str, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(directory.read(name), type=kind)
    except msgspec.DecodeError as error:
        raise InputError(f"{name} in {directory!r} is damaged: {error}; give another directory") from error
