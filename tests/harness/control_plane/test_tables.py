"""Tables that know what was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from harness.control_plane.tables import UPDATED, Changes, Table
from harness.model import Volume

if TYPE_CHECKING:
    from tests.harness.control_plane.conftest import Lab

STEPS = st.lists(
    st.tuples(st.sampled_from(["make", "set", "update", "remove"]), st.sampled_from("abc"), st.integers(0, 9))
)


@given(STEPS)
def test_whoever_saves_what_has_changed_has_everything(steps: list[tuple[str, str, int]]) -> None:
    """A copy that takes up the changes, at any time, is the table."""
    changes = Changes()
    table = Table("things", changes)
    copy: dict[str, dict[str, int]] = {}
    for number, (what, name, value) in enumerate(steps):
        if what == "make":
            table[name] = {"value": value}
        elif what == "set" and name in table:
            table[name]["value"] = value
        elif what == "update" and name in table:
            table[name].update({"value": value, "other": 1})
        elif what == "remove":
            table.pop(name, None)
        if number % 2:
            for _, changed in list(changes.rows):
                if changed in table:
                    copy[changed] = dict(table[changed])
                else:
                    copy.pop(changed, None)
            changes.rows.clear()
            assert copy == table


def test_a_row_knows_when_it_was_changed() -> None:
    """Not when it was made, as with SQLAlchemy's onupdate."""
    changes = Changes()
    changes.clock = lambda: 42
    table = Table("things", changes)
    table["a"] = {"value": 1}
    assert UPDATED not in table["a"]
    table["a"]["value"] = 2
    assert table["a"][UPDATED] == 42


def test_a_saved_volume_is_a_change(lab: Lab) -> None:
    """Also one that is destroyed."""
    volume = lab.volume()
    lab.database.take_changes()
    volume.display_name = "new"
    volume.save()
    changed = lab.database.take_changes()
    assert changed[Volume.TABLE, volume.id]["display_name"] == "new"  # type: ignore[index]
    lab.database.destroy_volume(volume.id)
    assert lab.database.take_changes()[Volume.TABLE, volume.id] is None
