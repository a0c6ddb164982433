"""The ring of text metadata: old or new after any crash, whatever the sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_backends.block_store import MemoryDevice
from fake_backends.lvm.on_disk.metadata_area import HEADER, MetadataArea, commit_everywhere
from harness.errors import NoSpace, Unreadable

START, SIZE = 4096, 16 << 10
LONGEST = (SIZE - HEADER) // 2 - 512 - 1


class Crash(Exception):
    """The process dies."""


class DyingDevice(MemoryDevice):
    """A device whose n-th write from now is cut short by the death of the writer."""

    writes_left: int | None = None

    def write(self, offset: int, data: bytes) -> None:
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left < 0:
                # A sector is written whole or not at all; longer writes may tear.
                super().write(offset, data[: len(data) // 2 // 512 * 512])
                raise Crash
        super().write(offset, data)


def formatted(count: int = 1) -> tuple[list[DyingDevice], list[MetadataArea]]:
    devices = [DyingDevice(START + SIZE) for _ in range(count)]
    areas = [MetadataArea(device, START, SIZE) for device in devices]
    for area in areas:
        area.format()
    return devices, areas


def texts(lengths: list[int]) -> list[str]:
    return [f"{number} ".ljust(length, "x")[:length] for number, length in enumerate(lengths)]


def test_a_new_area_has_no_text() -> None:
    """Nothing is in force before the first commit."""
    _, (area,) = formatted()
    assert area.read() is None


@given(st.lists(st.integers(1, LONGEST), min_size=1, max_size=30))
def test_the_last_text_committed_is_read(lengths: list[int]) -> None:
    """Whatever sizes the texts have, and however often they go around the ring."""
    _, areas = formatted()
    for text in texts(lengths):
        commit_everywhere(areas, text)
        assert areas[0].read() == text


def test_texts_begin_behind_one_another_and_wrap_around() -> None:
    """Each begins on the sector behind the last; what does not fit at the end goes on behind the header."""
    _, (area,) = formatted()
    offsets = []
    for text in texts([5000] * 6):
        place = area.write(text)
        area.commit(place)
        offsets.append(place.offset)
        assert area.read() == text
    assert offsets == [512, 5632, 10752, 15872, 5120, 10240]


def test_a_text_of_half_the_ring_is_too_long() -> None:
    """The ring must hold the old text and the new one; a longer one changes nothing."""
    _, areas = formatted()
    commit_everywhere(areas, "old")
    with pytest.raises(NoSpace, match="metadata of 7425 bytes exceeds the maximum of 7424 bytes"):
        commit_everywhere(areas, "x" * (LONGEST + 1))
    commit_everywhere(areas, "x" * LONGEST)
    assert areas[0].read() == "x" * LONGEST


@given(st.lists(st.integers(1, LONGEST), min_size=1, max_size=8), st.integers(1, LONGEST), st.integers(0, 5))
def test_a_crash_leaves_the_old_text_or_the_new_one(lengths: list[int], last: int, writes: int) -> None:
    """On each of two disks, at every write of a commit, which may tear."""
    devices, areas = formatted(2)
    *before, new = texts([*lengths, last])
    for text in before:
        commit_everywhere(areas, text)
    for device in devices:
        device.writes_left = writes
    try:
        commit_everywhere(areas, new)
        done = True
    except Crash:
        done = False
    found = [area.read() for area in areas]
    assert set(found) <= ({new} if done else {before[-1], new})


@pytest.mark.parametrize(
    ("offset", "damage", "reason"),
    [
        (START + 4, b"#", "has no metadata area"),
        (START + 40, b"#", "metadata area header with a wrong checksum"),
        (START + HEADER + 2, b"#", "text metadata with a wrong checksum"),
    ],
)
def test_damage_is_named(offset: int, damage: bytes, reason: str) -> None:
    """Header and text each carry a checksum."""
    (device,), areas = formatted()
    commit_everywhere(areas, "text")
    device.write(offset, damage)
    with pytest.raises(Unreadable, match=reason):
        areas[0].read()
