"""What a fake of an array is given, and what is there as long as it overrides nothing."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from fake_backends import array
from fake_backends.array import Array, Place, Request, Response
from harness.errors import InputError, StorageError


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An importable module with an array, and with something that is none."""
    made = ModuleType("fakes_of_mine")
    vars(made).update(Mine=type("Mine", (Array,), {}), NoArray=dict)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def test_an_array_is_found_by_its_path(module: ModuleType) -> None:
    """As it stands in cinder.conf."""
    assert array.load("fakes_of_mine:Mine") is vars(module)["Mine"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("fakes_of_mine:Absent", "no such class"),
        ("fakes_of_mine:NoArray", r"no subclass of fake_backends\.array\.Array"),
        ("fakes_of_nobody:Mine", "no module fakes_of_nobody"),
    ],
)
def test_what_is_no_array_is_refused_in_one_line(module: ModuleType, path: str, message: str) -> None:
    """With what is wrong."""
    with pytest.raises(InputError, match=message) as refusal:
        array.load(path)
    assert "\n" not in str(refusal.value)


def test_an_array_answers_nothing_by_itself() -> None:
    """Whatever a driver tries says which handler is missing."""
    bare = Array(Place(name="mine"))
    with pytest.raises(ConnectionRefusedError, match="no HTTP handler"):
        bare.http(Request(method="GET", host="array", port=443, path="/"))
    with pytest.raises(ConnectionRefusedError, match="no SSH handler"):
        bare.ssh("show volumes", "admin")
    with pytest.raises(StorageError):
        bare.connect({"driver_volume_type": "iscsi"}, {})
    assert bare.objects() is None


def test_json_goes_both_ways() -> None:
    """Bodies are bytes; an empty one is None."""
    response = Response.of_json({"size": 1}, 201, Location="/volumes/1")
    assert (response.status, response.headers["Location"]) == (201, "/volumes/1")
    request = Request(method="POST", host="array", port=443, path="/", body=response.body)
    assert request.json() == {"size": 1}
    assert Request(method="GET", host="array", port=443, path="/").json() is None
