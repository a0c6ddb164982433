"""A volume group obeys its laws, in memory and in files; and the machine sees when one is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fake_backends.block_store import CHUNK, PAGE
from fake_backends.lvm import volume_group
from fake_backends.lvm.extents import Area, allocate
from fake_backends.lvm.in_files.disk import AreaBytes
from fake_backends.lvm.in_files.group import FileBacking
from fake_backends.lvm.logical_volume import LogicalVolume, ThickSnapshot
from fake_backends.lvm.thin_pool import ThinPool, ThinVolume
from fake_backends.lvm.volume_group import VolumeGroup
from tests.fake_backends.laws.machine import Medium, obey
from tests.fake_backends.laws.volume_group import VolumeGroupLaws, in_files, in_memory, machine

MEDIA = {"memory": in_memory, "files": in_files}


@pytest.mark.parametrize("medium", MEDIA.values(), ids=MEDIA)
def test_a_volume_group_obeys_its_laws(medium: Callable[[], Medium[VolumeGroup]]) -> None:
    """Any sequence of commands, writes, faults and kills leaves what a model of names and pages says."""
    obey(machine(medium))


def tour(medium: Medium[VolumeGroup]) -> None:
    """One of each: enough for a planted fault to show."""
    laws = VolumeGroupLaws(medium)
    laws.furnish(True)  # a is linear, b is thin
    laws.write(0, 0, 3 * PAGE, False, None)
    laws.write(1, 0, 70_144, False, None)
    laws.snapshot(0, 0, 1, None)  # c of a
    laws.write(0, PAGE, PAGE, False, None)
    laws.write(2, 2 * PAGE, PAGE, False, None)
    laws.thin_snapshot(0, 0, None)  # d of b
    laws.write(1, 0, PAGE, False, None)
    laws.activate(3, True, None)
    laws.write(3, PAGE, PAGE, False, None)
    laws.extend(1, 1, None)
    laws.create(0, 12, None)  # does not fit
    laws.open(0)
    laws.remove(0, True, None)  # is open
    laws.close()
    laws.merge(0, None)  # c into a
    laws.rename(0, 0, None)  # a becomes c
    laws.extend(0, 1, None)
    laws.create_thin(0, 1, None)
    laws.write(3, 0, 70_144, False, None)
    laws.remove(3, False, None)
    laws.create_thin(0, 1, None)  # on blocks that were used
    laws.write(3, 0, 512, False, None)
    laws.remove(0, False, None)
    laws.create(0, 2, None)  # on extents that were used
    if medium.survives:
        laws.boot()
    laws.remove_pool(True, None)


@pytest.mark.parametrize("medium", MEDIA.values(), ids=MEDIA)
def test_a_tour_passes(medium: Callable[[], Medium[VolumeGroup]]) -> None:
    """Without a planted fault."""
    tour(medium())


def _nothing(*args: object, **kwargs: object) -> None:
    """What should happen does not."""


def _loses_its_beginning(self: LogicalVolume, extents: int) -> None:
    self._put(0, {}, 1)
    _resize(self, extents)


def _shows_the_origin(self: ThinVolume, number: int, chunk: Any, mask: int) -> None:
    _keep(self, number, chunk, mask)
    if isinstance(self.origin, ThinVolume):
        _keep(self.origin, number, chunk, mask)


def _leaks(self: VolumeGroup, chunks: int) -> Area:
    if chunks > self.free // CHUNK:
        allocate(self.disks, Area(), 1)
    return _allocated(self, chunks)


_resize, _keep, _allocated = LogicalVolume.resize, ThinVolume._keep, VolumeGroup._allocated

PLANTED = {
    "a write to an origin shows in its snapshot": (in_memory, ThickSnapshot, "preserve", _nothing, "content"),
    "a write to a clone shows in its origin": (in_memory, ThinVolume, "_keep", _shows_the_origin, "content"),
    "lvcreate zeroes nothing": (in_memory, volume_group, "PAGE", 0, "content"),
    "extents get lost with a volume": (in_memory, Area, "release", _nothing, "free extents"),
    "a refused volume takes an extent": (in_memory, VolumeGroup, "_allocated", _leaks, "free extents"),
    "an extend loses data": (in_memory, LogicalVolume, "resize", _loses_its_beginning, "content"),
    "a merge loses what the snapshot has": (in_memory, ThickSnapshot, "merge", _nothing, "content"),
    "an open volume can be removed": (in_memory, VolumeGroup, "_check_closed", _nothing, "Busy"),
    "blocks are not given back": (in_memory, ThinPool, "recount", _nothing, "the pool's size and use"),
    "commands pass no point": (in_memory, VolumeGroup, "_visit", _nothing, "named point"),
    "what was acknowledged is not kept": (in_files, FileBacking, "commit", _nothing, "names"),
    "a new block shows what another volume wrote": (in_files, AreaBytes, "clear", _nothing, "content"),
}


@pytest.mark.parametrize(("medium", "owner", "name", "fault", "words"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_caught(
    monkeypatch: pytest.MonkeyPatch,
    medium: Callable[[], Medium[VolumeGroup]],
    owner: object,
    name: str,
    fault: object,
    words: str,
) -> None:
    """Each law is worth something: a group that breaks it is told from a good one, by this law."""
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(AssertionError, match=words):
        tour(medium())
