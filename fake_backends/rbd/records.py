"""What is written down of an image, beside the content of its objects.

Ranges are ``[first, last]`` with first <= n < last. Runs are ``[first, last, generation]``: the objects
first <= n < last have their content in files of that generation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from fake_backends.rbd.object_set import ObjectSet
from fake_backends.rbd.traits import Traits

if TYPE_CHECKING:
    from fake_backends.rbd.image import Image
    from fake_backends.rbd.layers import Layer
    from fake_backends.rbd.pool import Pool

CLUSTER_RECORD, POOL_RECORD, IMAGE_RECORD = "cluster.json", "pool.json", "image.json"

NAMESPACE_PREFIX = "namespace "
"""What the directory of a namespace is called inside of its pool's, before its name."""

Ranges = list[tuple[int, int]]


class ParentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot that a layer was cloned from. Which clones a snapshot has follows from this alone."""

    pool: str
    namespace: str = ""
    image: str
    snapshot: int
    clone_format: int


class LayerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What an image or a snapshot shows (see `fake_backends.rbd.layers.Layer`)."""

    size: int
    overlap: int
    own: Ranges
    inherited: Ranges
    filled: Ranges = []
    runs: list[tuple[int, int, int]]
    parent: ParentRecord | None

    def own_versions(self) -> Iterator[tuple[int, int]]:
        """Number and generation of every object that has a file of this image."""
        for first, last, generation in self.runs:
            for number in range(first, last):
                yield number, generation


class SnapshotRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot; the names are those of `fake_backends.rbd.layers.Snapshot`."""

    id: int
    name: str
    protected: bool
    trashed_from: str | None
    changed: Ranges
    written: Ranges = []
    created_s: int = 0
    group: tuple[str, str] | None = None
    layer: LayerRecord


class ImageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An image. `trash_delay_s` is None outside of the trash. `generation` is that of later writes."""

    name: str
    order: int
    features: int
    metadata: dict[str, str]
    last_snapshot_id: int
    trash_delay_s: int | None
    trashed_s: int = 0
    traits: Traits = msgspec.field(default_factory=Traits)
    generation: int
    head: LayerRecord
    snapshots: list[SnapshotRecord]

    def layers(self) -> list[LayerRecord]:
        """Of the image and its snapshots."""
        return [self.head, *(snapshot.layer for snapshot in self.snapshots)]


def object_set(ranges: Iterable[tuple[int, int]]) -> ObjectSet:
    """The set with these ranges."""
    objects = ObjectSet()
    for first, last in ranges:
        objects.add(first, last)
    return objects


class GroupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A group and its snapshots by number. Which images it has, their traits say."""

    number: int
    snapshots: dict[str, int]


class PoolRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A pool, or a namespace in it; `number` is the first part of its images' ids."""

    name: str
    number: int
    max_bytes: int | None
    namespace: str = ""
    mirror_mode: int = 0
    metadata: dict[str, str] = {}
    groups: dict[str, GroupRecord] = {}
    groups_made: int = 0


def record_of_pool(pool: Pool) -> PoolRecord:
    """The record of a pool in files."""
    return PoolRecord(
        name=pool.name,
        number=pool.number,
        max_bytes=pool.max_bytes,
        namespace=pool.namespace_name,
        mirror_mode=pool.mirror_mode,
        metadata=pool.metadata,
        groups={
            name: GroupRecord(number=group.number, snapshots=group.snapshots)
            for name, group in pool.groups.items()
        },
        groups_made=pool.groups_made,
    )


class ClusterRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster."""

    name: str
    size: int
    clone_format: int


def record_of(image: Image, generation: int) -> ImageRecord:
    """The record of an image in files."""
    trashed = image.pool.trash.get(image.id)
    return ImageRecord(
        name=image.name,
        order=image.order,
        features=image.base_features,
        metadata=image.metadata,
        last_snapshot_id=image.last_snapshot_id,
        trash_delay_s=trashed.delay_s if trashed else None,
        trashed_s=trashed.moved_s if trashed else 0,
        traits=image.traits,
        generation=generation,
        head=_layer_record(image.head),
        snapshots=[
            SnapshotRecord(
                id=snapshot.id,
                name=snapshot.name,
                protected=snapshot.protected,
                trashed_from=snapshot.trashed_from,
                changed=list(snapshot.changed.ranges()),
                written=list(snapshot.written.ranges()),
                created_s=snapshot.created_s,
                group=snapshot.group,
                layer=_layer_record(snapshot),
            )
            for snapshot in image.snapshots
        ],
    )


def _layer_record(layer: Layer) -> LayerRecord:
    parent = None
    if layer.parent is not None:
        parent = ParentRecord(
            pool=layer.parent.image.pool.name,
            namespace=layer.parent.image.pool.namespace_name,
            image=layer.parent.image.id,
            snapshot=layer.parent.snapshot.id,
            clone_format=layer.parent.clone_format,
        )
    return LayerRecord(
        size=layer.size,
        overlap=layer.overlap,
        own=list(layer.own.ranges()),
        inherited=list(layer.inherited.ranges()),
        filled=list(layer.filled.ranges()),
        runs=_runs(layer.chunks.own_versions()),
        parent=parent,
    )


def _runs(versions: Mapping[int, int]) -> list[tuple[int, int, int]]:
    """Numbers with equal generations in a row as one."""
    runs: list[tuple[int, int, int]] = []
    for number in sorted(versions):
        generation = versions[number]
        if runs and runs[-1][1:] == (number, generation):
            runs[-1] = (runs[-1][0], number + 1, generation)
        else:
            runs.append((number, number + 1, generation))
    return runs
