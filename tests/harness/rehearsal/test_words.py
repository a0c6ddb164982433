"""What the user says of his volume, and what is said to him when it makes no sense."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.rehearsal import words
from harness.rehearsal.words import TypeWords, VolumeWords


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10,gold,available", VolumeWords(10, "gold", "available")),
        ("1,-,in-use", VolumeWords(1, None, "in-use", ("active",))),
        ("5, none, in-use, 2", VolumeWords(5, None, "in-use", ("active", "active"))),
        ("5,-,in-use,paused+read-only", VolumeWords(5, None, "in-use", ("paused", "read-only"))),
        ("5,-,error", VolumeWords(5, None, "error")),
        ("5,-,detaching,1", VolumeWords(5, None, "detaching", ("active",))),
    ],
)
def test_a_volume_in_words(text: str, meant: VolumeWords) -> None:
    """Size, type, status, attachments."""
    assert words.volume(text) == meant


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("10,gold", "must be SIZE,TYPE,STATUS"),
        ("10,,available", "must be SIZE,TYPE,STATUS"),
        ("0,-,available", "whole number of GiB"),
        ("1.5,-,available", "whole number of GiB"),
        ("\u0663,-,available", "whole number of GiB"),
        ("9999999999999,-,available", "whole number of GiB"),
        ("1,-,availble", "did you mean 'available'"),
        ("1,-,available,1", "with attachments is in-use"),
        ("1,-,in-use,0", "at least one attachment"),
        ("1,-,in-use,9999", "more than a volume has"),
        ("1,-,in-use,stoped", "did you mean 'stopped'"),
    ],
)
def test_a_volume_that_makes_no_sense(text: str, complaint: str) -> None:
    """One line, with what would be right."""
    with pytest.raises(InputError, match=complaint):
        words.volume(text)


def test_a_type_in_words() -> None:
    """Extra specs, and two words that are none."""
    assert words.volume_type("gold volume_backend_name=a multiattach='<is> True' encryption=luks qos=both") == (
        TypeWords(
            name="gold",
            specs={"volume_backend_name": "a", "multiattach": "<is> True"},
            encryption="luks",
            qos="both",
        )
    )
    assert words.volume_type("bare") == TypeWords(name="bare")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must begin with a name"),
        ("a=b", "must begin with a name"),
        ("a b", "'b' must be KEY=VALUE"),
        ("a =b", "must be KEY=VALUE"),
        ("a 'b", "no closing quotation"),
        ("a encryption=aes", "must be one of none, luks, luks2"),
        ("a qos=x", "must be one of none, front-end"),
    ],
)
def test_a_type_that_makes_no_sense(text: str, complaint: str) -> None:
    """One line, with what would be right."""
    with pytest.raises(InputError, match=complaint):
        words.volume_type(text)


@given(st.text(alphabet="0123456789,-+=' aeinuslv\u0663\n", max_size=30))
def test_whatever_is_said_is_understood_or_refused(text: str) -> None:
    """Nothing but InputError."""
    for understand in (words.volume, words.volume_type):
        with contextlib.suppress(InputError):
            understand(text)
