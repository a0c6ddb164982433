"""What is replaced is put back."""

from __future__ import annotations

import os
import sys
from types import ModuleType, SimpleNamespace

from harness.cinder_engine.seams.patches import Patches


def test_everything_is_put_back_in_reverse_order() -> None:
    """Attributes, those of classes, modules and the environment; what was not there goes."""

    class Base:
        name = "base"

    class Derived(Base):
        pass

    thing, patches, heard = SimpleNamespace(size=1), Patches(), []
    patches.replace(thing, "size", 2)
    patches.replace(thing, "size", 3)
    patches.replace(thing, "colour", "red")
    patches.replace(Derived, "name", "derived")
    patches.module("crucible_put_back", ModuleType("crucible_put_back"))
    patches.environment("CRUCIBLE_PUT_BACK", "1")
    patches.later(lambda: heard.append("undone"))
    assert (thing.size, thing.colour, Derived.name) == (3, "red", "derived")
    assert "crucible_put_back" in sys.modules
    assert os.environ["CRUCIBLE_PUT_BACK"] == "1"
    patches.undo()
    patches.undo()
    assert (vars(thing), vars(Derived).get("name"), Derived.name) == ({"size": 1}, None, "base")
    assert "crucible_put_back" not in sys.modules
    assert "CRUCIBLE_PUT_BACK" not in os.environ
    assert heard == ["undone"]
