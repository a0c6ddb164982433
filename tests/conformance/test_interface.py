"""The outside of drivers, judged without running them."""

from __future__ import annotations

from typing import Any

import msgspec

from conformance.interface import changes, judge
from harness.cinder_engine.interface_reader import calls_in, driver_signatures
from harness.signatures import Call, Contract, Parameter

VOLUME = Parameter("volume", "positional")


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
    interfaces={"Core": {"create_volume": [VOLUME], "delete_volume": [VOLUME]}},
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


def contract(release: str, *calls: Call, driver: type[Any] | None = Driver, **interfaces: Any) -> Contract:
    """A release with these calls and interfaces, and the one driver."""
    drivers = [driver_signatures(driver)] if driver else []
    return Contract(release=release, calls=list(calls), interfaces=interfaces, core="Core", drivers=drivers)


def told(before: Contract, after: Contract) -> list[tuple[str, bool]]:
    """What changed, and whether the driver breaks."""
    return [(each.text, bool(each.breaks)) for each in changes(before, after)]


def test_a_call_that_changes_names_whose_driver_breaks() -> None:
    """More arguments than the driver takes; a call that it takes, one that is new, one that is gone."""
    before = contract("28.0.0", Call("create_volume", 1), Call("delete_volume", 1), Call("retype", 5))
    after = contract("29.0.0", Call("create_volume", 2), Call("delete_volume", 0, ("volume",)), Call("thaw", 1))
    assert told(before, after) == [
        ("the manager calls create_volume(..., ...) instead of create_volume(...)", True),
        ("the manager calls delete_volume(volume=) instead of delete_volume(...)", False),
        ("nobody calls retype any more", False),
        ("the manager calls thaw(...), which is new", False),
    ]


def test_what_a_driver_has_from_cinders_base_class_changes_with_it() -> None:
    """It breaks no driver."""
    signatures = msgspec.structs.replace(driver_signatures(Driver), based=["create_volume"])
    before = msgspec.structs.replace(contract("28.0.0", Call("create_volume", 1)), drivers=[signatures])
    assert told(before, contract("29.0.0", Call("create_volume", 2)))[0][1] is False


def test_an_interface_that_changes_names_whose_driver_lacks_a_method() -> None:
    """New and gone interfaces, methods and parameters."""
    before = contract("28.0.0", Core={"create_volume": [VOLUME]}, Old={}, Same={"a": [VOLUME], "b": []})
    after = contract(
        "29.0.0", Core={"create_volume": [VOLUME], "thaw": []}, New={"x": []}, Same={"a": [VOLUME, VOLUME]}
    )
    assert told(before, after) == [
        ("Core has thaw, too", True),
        ("New is a new interface: x", False),
        ("Old is no interface any more", False),
        ("Same has no b any more", False),
        ("Same.a is (volume, volume), and was (volume)", False),
    ]
