"""What owners write: few pages at the places that matter, each with bytes that tell place and writer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st

from fake_backends.block_store import PAGE, PAGES_PER_CHUNK
from harness.matrix.contents import stamped

PLACES = ("first", "second", "end of a chunk", "start of a chunk", "middle", "end of the first half", "last")
"""4 KiB pages of a volume: its edges, those of a chunk of 4 MiB (an extent, an object), and in between."""


LETTERS = (
    *"az AZ09._-/\\'\"`$%&;<>|*?~#\t\n\0äßİñ中文字かな한ไ",
    "\u0301",  # an accent that joins what is before it
    "\u05d0",  # written from right to left
    "\u200b",  # nothing to see
    "\u2028",  # ends a line
    "\U0001f4be",  # beyond the first 65,536
)
"""Letters of several scripts, and what shells, formats and encodings take for something else."""


class Contents(NamedTuple):
    """Who wrote, and where."""

    writer: str
    places: tuple[str, ...]

    def __repr__(self) -> str:
        return f"{self.writer}'s pages ({', '.join(self.places) or 'none'})"


def page_at(place: str, size: int) -> int:
    """The number of the page at a place of a volume of `size` bytes."""
    last = size // PAGE - 1
    return {
        "first": 0,
        "second": 1,
        "end of a chunk": PAGES_PER_CHUNK - 1,
        "start of a chunk": PAGES_PER_CHUNK,
        "middle": last // 2 + 77,
        "end of the first half": last // 2,
        "last": last,
    }[place]


def pages_of(contents: Contents, size: int) -> Mapping[int, bytes]:
    """Page number -> bytes, in a volume of `size` bytes."""
    return {
        page: stamped(page, contents.writer) for page in (page_at(place, size) for place in contents.places)
    }


def contents(writer: str = "owner") -> Any:
    """Any choice of places, the last page and a few others most of all."""
    everywhere = st.just(PLACES)
    some = st.lists(st.sampled_from(PLACES), min_size=1, max_size=4, unique=True).map(tuple)
    return (everywhere | some).map(lambda places: Contents(writer, places))


def sizes(largest: int = 8) -> Any:
    """Sizes in GiB: small ones, and those around powers of two."""
    return st.integers(1, largest)


def texts(longest: int) -> Any:
    """What users write in fields such as a display name: short in any script, or as long as may be.

    Not `st.text`: it tabulates all of Unicode first, which takes longer than most drivers take for all laws.
    """
    short = st.lists(st.sampled_from(LETTERS), max_size=min(longest, 12)).map("".join)
    return short | st.sampled_from(LETTERS).map(lambda letter: letter * longest)
