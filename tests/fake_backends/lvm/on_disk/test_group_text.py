"""Text metadata: any group survives being written and read, and any damage is named."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_backends.lvm.on_disk import config_text
from fake_backends.lvm.on_disk.group_parser import parse_group
from fake_backends.lvm.on_disk.group_text import group_text
from fake_backends.lvm.on_disk.records import (
    GroupRecord,
    LogicalVolumeRecord,
    PhysicalVolumeRecord,
    PoolSegment,
    SnapshotSegment,
    Striped,
    ThinSegment,
)
from harness.errors import Unreadable

names = st.text(string.ascii_letters + string.digits + "_.+", min_size=1, max_size=20)
strings = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
flags = st.lists(names, max_size=3).map(tuple)
numbers = st.integers(0, 2**64 - 1)
segments = st.one_of(
    st.builds(Striped, numbers, numbers, st.tuples(st.just("pv0"), numbers)),
    st.builds(SnapshotSegment, numbers, numbers, numbers, names, names, st.booleans()),
    st.builds(PoolSegment, numbers, numbers, names, names, numbers, numbers, names, st.booleans()),
    st.builds(ThinSegment, numbers, numbers, names, numbers, numbers, st.none() | names, st.none() | names),
)
logical_volumes = st.builds(
    LogicalVolumeRecord,
    names,
    strings,
    st.lists(segments, min_size=1, max_size=3).map(tuple),
    flags,
    flags,
    flags,
    st.integers(1, 2**33),
    strings,
)
physical_volumes = st.builds(
    PhysicalVolumeRecord, strings, strings, numbers, numbers, numbers, flags, flags, flags
)
RESERVED = ("contents", "version", "description", "creation_host", "creation_time")
"""Keys that stand beside the group in a text, and would be there twice."""
groups = st.builds(
    GroupRecord,
    name=names.filter(lambda name: name not in RESERVED),
    uuid=strings,
    seqno=numbers,
    physical_volumes=st.lists(physical_volumes, max_size=3).map(tuple),
    logical_volumes=st.lists(logical_volumes, max_size=4, unique_by=lambda volume: volume.name).map(tuple),
    tags=flags,
    description=strings,
    host=strings,
    time=st.integers(0, 2**33),
)


@given(groups)
@settings(max_examples=25)
def test_a_group_reads_as_it_was_written(group: GroupRecord) -> None:
    """Strings may hold quotes, backslashes, line ends and marks of comments."""
    assert parse_group(group_text(group)) == group


@given(groups, st.data())
@settings(max_examples=25)
def test_a_damaged_text_is_refused_or_read(group: GroupRecord, data: st.DataObject) -> None:
    """A text that was cut and mended anywhere never ends in another kind of error."""
    text = group_text(group)
    cut = data.draw(st.integers(0, len(text)))
    behind = data.draw(st.integers(cut, len(text)))
    try:
        parse_group(text[:cut] + data.draw(strings) + text[behind:])
    except Unreadable:
        pass


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a = 1 # c\n b=-5", {"a": 1, "b": -5}),
        ('s { t = "x # \\"y\\" \\\\" }', {"s": {"t": 'x # "y" \\'}}),
        ('l = [\n"pv0", 0\n] m = []', {"l": ["pv0", 0], "m": []}),
        ("volume-1.a+b { } 7 { }", {"volume-1.a+b": {}, "7": {}}),
    ],
)
def test_the_language_has_sections_numbers_strings_and_lists(text: str, value: object) -> None:
    """Comments end with the line, but do not begin inside strings."""
    assert config_text.parse(text) == value


@pytest.mark.parametrize(
    "text", ["\n\na {", "\n\n}", "\n\na = ", "\n\na = b", '\n\n"', "\n\na = 1 a = 2", "\n\na = ["]
)
def test_nonsense_is_refused_with_its_line(text: str) -> None:
    """Sections must end, values must be values, names must differ."""
    with pytest.raises(Unreadable, match="makes no sense in line 3"):
        config_text.parse(text)


GROUP = GroupRecord("vg", "id", 1, (), (LogicalVolumeRecord("lv", "id", (Striped(0, 1, ("pv0", 0)),)),))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"Text Format Volume Group"', '"Archive"', "contents are 'Archive'"),
        ("version = 1", "version = 2", "version 2; known is version 1"),
        ('format = "lvm2"', 'format = "lvm3"', "unknown format 'lvm3'"),
        ('type = "striped"', 'type = "raid5"', "volume lv with a segment of the unknown type 'raid5'"),
        ("stripe_count = 1", "stripe_count = 2", "volume lv striped over several disks"),
        ("seqno = 1", 'seqno = "1"', "'seqno' of vg is not a number"),
        ("segment_count = 1", "segment_count = 2", "'segment2' of lv is not a section"),
    ],
)
def test_what_is_not_known_here_is_named(old: str, new: str, reason: str) -> None:
    """A newer format, or one that Crucible does not have."""
    with pytest.raises(Unreadable, match=reason):
        parse_group(group_text(GROUP).replace(old, new))
