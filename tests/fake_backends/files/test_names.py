"""No name from outside leads out of the directory, or to somebody else's file."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fake_backends.files.names import LENGTH_MAX, safe_name, true_name
from fake_backends.files.real import RealDirectory

any_text = st.text(st.characters(exclude_categories=()), max_size=300)


@given(name=any_text)
@example("")
@example(".")
@example("..")
@example("../../etc/passwd")
@example("/absolute")
@example("nul\0, escape\x1b and newline\n")
@example("n" * 300)
@example("ä" * 300)
@example(".new")
@example("%2E")
@example("\ud800 lone surrogate")
def test_a_file_name_is_harmless(name: str) -> None:
    """One component of bounded length, of plain characters, without a dot in front."""
    file_name = safe_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_~@:+,=%-][A-Za-z0-9_.~@:+,=%-]*", file_name)
    assert len(file_name) <= LENGTH_MAX
    assert true_name(file_name) in (name, None)


@given(one=any_text, other=any_text)
@example("", "%")
@example(".", "%2E")
@example("a=", "a%3D")
@example("n" * 300, "n" * 301)
def test_two_names_never_share_a_file(one: str, other: str) -> None:
    """Different names have different file names."""
    assert (safe_name(one) == safe_name(other)) == (one == other)


@pytest.mark.parametrize("name", ["volume-1", "vg_a", "rbd", "node1@lvm-a", "192.0.2.1:", "A.b+c,d~e"])
def test_usual_names_stay_as_they_are(name: str) -> None:
    """Who looks into the directory finds what they know."""
    assert safe_name(name) == name
    assert true_name(name) == name


@pytest.mark.parametrize(
    "name", ["..", "../../outside", "/tmp/outside", "a/b", "\0", "\n", "x" * 300, "\u202e" * 300, ".new", ""]
)
def test_files_of_bad_names_are_in_the_directory(tmp_path: Path, name: str) -> None:
    """On a real file system, whatever the name: nothing appears beside the directory."""
    inside = tmp_path / "storage"
    inside.mkdir()
    directory = RealDirectory(inside)
    directory.replace(safe_name(name), b"content")
    directory.directory(safe_name(name + "/")).replace(safe_name(name), b"content")
    assert os.listdir(tmp_path) == ["storage"]
    assert directory.read(safe_name(name)) == b"content"
    assert len(directory.names()) == 2
