"""Wrappers are taken off; the command, its arguments and its environment stay."""

from __future__ import annotations

import pytest

from fake_backends.command_line import Invocation, parse


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("vgs vg", Invocation("vgs", ["vg"])),
        ("env LC_ALL=C vgs vg", Invocation("vgs", ["vg"], {"LC_ALL": "C"})),
        ("sudo -n /usr/sbin/lvs", Invocation("lvs", [])),
        (
            "sudo cinder-rootwrap /etc/cinder/rootwrap.conf env A=1 B= lvs -o a=b",
            Invocation("lvs", ["-o", "a=b"], {"A": "1", "B": ""}),
        ),
        ("ionice -c3 dd if=a", Invocation("dd", ["if=a"])),
        ("nice -n 10 ionice -c 2 -n 7 dd", Invocation("dd", [])),
        ("env LC_ALL=C", Invocation("", [], {"LC_ALL": "C"})),
        ("", Invocation("", [])),
    ],
)
def test_wrappers_are_taken_off(argv: str, expected: Invocation) -> None:
    """Whatever stands before a command, the command is what runs."""
    assert parse(argv.split()) == expected
