"""What differs between releases of Cinder is found by looking for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from harness.cinder_engine.seams import releases
from harness.cinder_engine.seams.patches import Patches


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable package, crucible_of_nobody, with nothing in it. What was imported of it is forgotten."""
    place = tmp_path / "crucible_of_nobody"
    place.mkdir()
    (place / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield place
    for name in [name for name in sys.modules if name.partition(".")[0] == "crucible_of_nobody"]:
        del sys.modules[name]


def test_the_place_of_older_releases_is_looked_at_first(package: Path) -> None:
    """There, `cinder.db.api` is a front whose functions find their engine elsewhere."""
    (package / "new.py").touch()
    assert releases.first_of("crucible_of_nobody.old.api", "crucible_of_nobody.new").__name__.endswith(".new")
    (package / "old.py").touch()
    assert releases.first_of("crucible_of_nobody.old", "crucible_of_nobody.new").__name__.endswith(".old")


def test_a_library_that_an_older_release_misses_is_named(package: Path) -> None:
    """The module is there: that it cannot be imported is not hidden behind the newer one's absence."""
    (package / "old.py").write_text("import crucible_needs_this\n")
    with pytest.raises(ModuleNotFoundError, match="crucible_needs_this"):
        releases.first_of("crucible_of_nobody.old", "crucible_of_nobody.new")


def test_work_for_threads_is_done_at_once() -> None:
    """By the task that hands it over, until the replacement is undone."""

    class Manager:
        def _add_to_threadpool(self, function: object) -> str:
            return "left to a thread"

    patches, heard, manager = Patches(), ModuleType("heard"), Manager()
    releases.run_at_once(patches, Manager)
    manager._add_to_threadpool(lambda: setattr(heard, "done", True))
    assert heard.done is True
    patches.undo()
    assert manager._add_to_threadpool(None) == "left to a thread"
    assert not hasattr(Manager, "_init_pool")
