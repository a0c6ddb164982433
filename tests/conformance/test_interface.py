"""The outside of drivers, judged without running them."""

from __future__ import annotations

from typing import Any

from conformance.interface import changed, judge
from harness.cinder_engine.interface_reader import calls_in, driver_signatures
from harness.signatures import Call, Contract


class Base:
    """Stands for an interface class; methods of it count as none."""

    def create_volume(self, volume: Any) -> None: ...
    def delete_volume(self, volume: Any) -> None: ...


class Driver(Base):
    SUPPORTED = True
    VERSION = "1.0"
    CI_WIKI_NAME = "x"

    def create_volume(self, volume: Any) -> None:
        return None

    def delete_volume(self, volume: Any) -> None:
        raise NotImplementedError

    def migrate_volume(self) -> None:
        return None


CONTRACT = Contract(
    release="29.0.0",
    calls=[Call("create_volume", 1), Call("migrate_volume", 3), Call("retype", 5)],
    interfaces={"Core": ["create_volume", "delete_volume"]},
    core="Core",
)


def test_what_is_wrong_is_found() -> None:
    """A method that only refuses, and one that does not take what is passed."""
    findings = judge(CONTRACT, driver_signatures(Driver))
    assert [(each.kind, each.text) for each in findings] == [
        ("missing", "has no delete_volume"),
        (
            "signature",
            "migrate_volume() takes 0 arguments, and is given 3 [Cinder calls migrate_volume(..., ..., ...)]",
        ),
    ]


def test_calls_are_read_from_source() -> None:
    """By position and by name; what passes a list on tells nothing."""
    source = "self.driver.a(x, y, force=True)\ndriver.b()\nself.driver.c(*x)\nself.other.d()\n"
    assert list(calls_in(source)) == [Call("a", 2, ("force",)), Call("b", 0)]


def test_a_change_between_releases_names_whose_driver_breaks() -> None:
    """A call that is new, or has more arguments."""
    before = Contract(
        release="28.0.0",
        calls=[Call("create_volume", 1)],
        interfaces={},
        core="Core",
        drivers=[driver_signatures(Driver)],
    )
    after = Contract(release="29.0.0", calls=[Call("create_volume", 2)], interfaces={}, core="Core")
    (line,) = changed(before, after)
    assert line.startswith("create_volume(..., ...) was create_volume(...); breaks ")
    assert line.endswith(".Driver")
