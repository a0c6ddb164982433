"""What text metadata says: a volume group, its physical and logical volumes, and their segments.

`start` and `count` are extents; `pe_start`, `dev_size`, `extent_size` and `chunk_size` are sectors of 512
bytes. Physical volumes are referred to as ``pv0``, ``pv1``, ..., by their place in the group.
Source: lvm2, ``lib/format_text/export.c``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Striped:
    """A run of extents of one physical volume: what linear volumes consist of. `stripe` is (volume, extent)."""

    start: int
    count: int
    stripe: tuple[str, int]


@dataclass(frozen=True)
class SnapshotSegment:
    """The tie between an origin and the volume that is its copy-on-write store; they merge if `merging`."""

    start: int
    count: int
    chunk_size: int
    origin: str
    store: str
    merging: bool = False


@dataclass(frozen=True)
class PoolSegment:
    """A thin pool over two hidden volumes, for data and for metadata."""

    start: int
    count: int
    metadata: str
    data: str
    transaction_id: int
    chunk_size: int
    discards: str = "passdown"
    zero_new_blocks: bool = True


@dataclass(frozen=True)
class ThinSegment:
    """A thin volume: `device_id` is its number in the pool; `merge` names the origin that it replaces."""

    start: int
    count: int
    pool: str
    transaction_id: int
    device_id: int
    origin: str | None = None
    merge: str | None = None


Segment: TypeAlias = Striped | SnapshotSegment | PoolSegment | ThinSegment


@dataclass(frozen=True)
class PhysicalVolumeRecord:
    """A physical volume. `device` is a hint only: the uuid in the label decides."""

    uuid: str
    device: str
    dev_size: int
    pe_start: int
    pe_count: int
    status: tuple[str, ...] = ("ALLOCATABLE",)
    flags: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class LogicalVolumeRecord:
    """A logical volume, hidden ones included. `creation_time` is seconds since 1970, 0 if unknown."""

    name: str
    uuid: str
    segments: tuple[Segment, ...]
    status: tuple[str, ...] = ("READ", "WRITE", "VISIBLE")
    flags: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    creation_time: int = 0
    creation_host: str = ""


@dataclass(frozen=True)
class GroupRecord:
    """A volume group after its `seqno`-th change. `time` and `host` say when and where that was."""

    name: str
    uuid: str
    seqno: int
    physical_volumes: tuple[PhysicalVolumeRecord, ...]
    logical_volumes: tuple[LogicalVolumeRecord, ...] = ()
    extent_size: int = 8192
    status: tuple[str, ...] = ("RESIZEABLE", "READ", "WRITE")
    flags: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    max_lv: int = 0
    max_pv: int = 0
    metadata_copies: int = 0
    description: str = ""
    host: str = "localhost"
    time: int = 0
