"""The journal of a thin pool's metadata: a change is there or not, whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_backends.block_store import MemoryDevice
from fake_backends.lvm.on_disk.thin_journal import ThinJournal
from harness.errors import NoSpace, Unreadable

SIZE = 16 << 10
ROOM = SIZE // 2 - 4096


class Crash(Exception):
    """The process dies."""


class DyingDevice(MemoryDevice):
    """A device that takes so many more writes."""

    writes_left = 1 << 30

    def write(self, offset: int, data: bytes) -> None:
        self.writes_left -= 1
        if self.writes_left < 0:
            super().write(offset, data[: len(data) // 2])
            raise Crash
        super().write(offset, data)


def begun(noise: bytes = b"") -> tuple[DyingDevice, ThinJournal]:
    device = DyingDevice(SIZE)
    device.write(0, noise * (SIZE // max(1, len(noise))))
    journal = ThinJournal(device, SIZE)
    journal.checkpoint(b"")
    return device, journal


def keep(journal: ThinJournal, kept: bytes, record: bytes) -> bytes:
    """Append a record, or put all that was kept into a checkpoint when there is no room."""
    if not journal.append(record):
        journal.checkpoint(kept + record)
    return kept + record


def reopened(device: MemoryDevice) -> tuple[ThinJournal, bytes]:
    journal = ThinJournal(device, SIZE)
    state, records = journal.load()
    return journal, state + b"".join(records)


@given(st.lists(st.binary(max_size=60), max_size=60), st.sampled_from([b"", b"\xff", b"CruThin\0"]))
@settings(max_examples=50)
def test_what_was_kept_is_found(records: list[bytes], noise: bytes) -> None:
    """In records and checkpoints, over whatever the medium held before, and again after every reopening."""
    device, journal = begun(noise)
    kept = b""
    for record in records:
        kept = keep(journal, kept, record)
        journal, found = reopened(device)
        assert found == kept


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=60), st.integers(0, 80))
@settings(max_examples=50)
def test_a_crash_leaves_all_changes_but_perhaps_the_last(records: list[bytes], writes: int) -> None:
    """A write may tear; and the journal goes on after that."""
    device, journal = begun()
    device.writes_left = writes
    kept = last = b""
    try:
        for record in records:
            last = kept + record
            kept = keep(journal, kept, record)
    except Crash:
        pass
    device.writes_left = 10
    journal, found = reopened(device)
    assert found in (kept, last)
    assert reopened(device)[1] == found
    keep(journal, found, b"more")
    assert reopened(device)[1] == found + b"more"


def test_a_checkpoint_that_does_not_fit_changes_nothing() -> None:
    """NoSpace, and what was kept before is still there."""
    device, journal = begun()
    journal.append(b"record")
    with pytest.raises(NoSpace, match="does not fit"):
        journal.checkpoint(bytes(ROOM + 1))
    assert reopened(device)[1] == b"record"


def test_other_contents_are_named() -> None:
    """Nothing of ours, or of a version that is not known here."""
    with pytest.raises(Unreadable, match="no thin pool metadata"):
        ThinJournal(MemoryDevice(SIZE), SIZE).load()
