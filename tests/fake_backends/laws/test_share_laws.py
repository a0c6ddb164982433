"""An NFS share obeys its laws, in memory and in files; and the machine sees when one is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fake_backends.block_store import CHUNK, PAGE
from fake_backends.nfs.contents import MemoryContent
from fake_backends.nfs.qcow2.tables import Tables
from fake_backends.nfs.share import File, FileRecord, Share
from fake_backends.rbd.object_set import ObjectSet
from tests.fake_backends.laws.machine import Medium, obey
from tests.fake_backends.laws.share import ShareLaws, in_files, in_memory, machine

MEDIA = {"memory": in_memory, "files": in_files}


@pytest.mark.parametrize("medium", MEDIA.values(), ids=MEDIA)
def test_a_share_obeys_its_laws(medium: Callable[[], Medium[Share]]) -> None:
    """Any sequence of changes, writes, faults and kills leaves what a model of files and disks says."""
    obey(machine(medium))


def tour(medium: Medium[Share]) -> None:
    """One of each: enough for a planted fault to show. Names are volume-a, volume-b, snap.c, ..."""
    laws = ShareLaws(medium)
    laws.truncate(0, 2 * CHUNK, None)  # volume-a is raw
    laws.write(0, 0, CHUNK + 1024, False, None)
    laws.truncate(0, 10 * PAGE + 512, None)
    laws.truncate(0, CHUNK, None)
    laws.chmod(0, 0o660, None)
    laws.snapshot(0, 0, None)  # volume-b over volume-a
    laws.write(0, PAGE, 512, False, None)
    laws.write(0, 65_536, 70_144, False, 7)
    laws.grow(0, CHUNK, None)
    laws.convert(0, 0, "raw", None)  # snap.c
    laws.convert(0, 0, "qcow2", None)  # d ä
    laws.commit(0, None)
    laws.pull(0, None)
    laws.rename(0, 0, None)  # volume-a becomes -e
    laws.rename(0, 0, 2)
    laws.fill(1, CHUNK, None)
    laws.write_text(0, PAGE + 1, None)
    laws.remove(0, None)
    laws.create_image(0, 2 * CHUNK, True, None)
    if medium.survives:
        laws.boot()


@pytest.mark.parametrize("medium", MEDIA.values(), ids=MEDIA)
def test_a_tour_passes(medium: Callable[[], Medium[Share]]) -> None:
    """Without a planted fault."""
    tour(medium())


@pytest.mark.parametrize("changes", range(9))
def test_a_rename_that_is_killed_keeps_the_mode_and_the_blocks(changes: int) -> None:
    """They go with the file, whether it is found under its old name or under the new one."""
    laws = ShareLaws(in_files())
    laws.fill(0, CHUNK, None)
    laws.chmod(0, 0o600, None)
    laws.rename(0, 0, changes)


@pytest.mark.parametrize("changes", range(12))
def test_a_write_over_a_backing_file_that_is_killed_shows_the_old_or_the_new(changes: int) -> None:
    """A cluster is linked when it holds its data: until then the one below is seen."""
    laws = ShareLaws(in_files())
    laws.truncate(0, CHUNK, None)
    laws.write(0, 0, 70_144, False, None)
    laws.snapshot(0, 0, None)
    laws.write(0, PAGE, 512, False, changes)


def test_a_file_that_was_cut_does_not_get_its_blocks_back() -> None:
    """Not by growing again, and not by being opened again."""
    laws = ShareLaws(in_files())
    laws.fill(0, CHUNK, None)
    laws.truncate(0, 0, None)
    laws.truncate(0, CHUNK, None)
    laws.boot()


def _nothing(*args: object, **kwargs: object) -> None:
    """What should happen does not."""


def _keeps_the_end(self: MemoryContent, size: int) -> None:
    """A file that is cut."""


def _takes_one(self: File, first: int, last: int) -> None:
    _take(self, first, min(first + 1, last))


def _no_backing(self: Any, at: int, name_size: int) -> tuple[None, None]:
    return None, None


def _blocks_alone(self: File) -> FileRecord:
    return FileRecord(blocks=_record(self).blocks)


_record, _take = File.record, File._take

PLANTED = {
    "what was cut off comes back": (in_memory, MemoryContent, "resize", _keeps_the_end, "content"),
    "a write takes one block": (in_memory, File, "_take", _takes_one, "blocks"),
    "blocks of removed files are not given back": (in_memory, Share, "_forget", _nothing, "names|not all"),
    "cut blocks stay allocated": (in_memory, ObjectSet, "remove", lambda *_: 0, "blocks"),
    "an image does not see what is under it": (
        in_memory,
        Tables,
        "_read_backing",
        _no_backing,
        "backing",
    ),
    "a cluster is never linked": (in_memory, Tables, "link", _nothing, "content"),
    "commands pass no point": (in_memory, Share, "visit", _nothing, "named point"),
    "modes are not kept": (in_files, File, "record", _blocks_alone, "mode"),
}


@pytest.mark.parametrize(("medium", "owner", "name", "fault", "words"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_caught(
    monkeypatch: pytest.MonkeyPatch,
    medium: Callable[[], Medium[Share]],
    owner: object,
    name: str,
    fault: object,
    words: str,
) -> None:
    """Each law is worth something: a share that breaks it is told from a good one, by this law."""
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(AssertionError, match=words):
        tour(medium())
