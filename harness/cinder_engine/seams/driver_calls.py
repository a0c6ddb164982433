"""Every call that the manager makes to a driver becomes a named point, ``driver.<method>``: a line of the
timeline, a place for planned faults, and what engines are compared by.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from harness.sim.simulation import Simulation
from harness.sim.tasks import Task

METHODS = (
    "create_volume", "delete_volume", "extend_volume", "create_volume_from_snapshot", "create_cloned_volume",
    "create_snapshot", "delete_snapshot", "revert_to_snapshot", "ensure_export", "create_export",
    "remove_export", "validate_connector", "initialize_connection", "terminate_connection", "migrate_volume",
    "update_migrated_volume", "before_volume_copy", "after_volume_copy", "retype", "manage_existing",
    "manage_existing_get_size", "unmanage",
)  # fmt: skip
"""The methods that `harness.control_plane` passes named points for."""


Call = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""Makes one call of a driver: name, method, arguments, keywords."""


def plainly(name: str, method: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """The call, and nothing else."""
    return method(*arguments, **keywords)


def watch(driver: Any, simulation: Simulation, returned: Callable[[Any], None], make: Call = plainly) -> None:
    """Wrap the methods of one driver object; `returned` hears of what they return, and `make` makes the calls.

    A call from inside the driver's own calls is not the manager's.
    """
    inside: set[Task | None] = set()

    def wrapped(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*arguments: Any, **keywords: Any) -> Any:
            task = simulation.kernel.current
            if task in inside:
                return method(*arguments, **keywords)
            simulation.visit(f"driver.{name}", subject((*arguments, *keywords.values())))
            inside.add(task)
            try:
                result = make(name, method, arguments, keywords)
                returned(result)
                return result
            finally:
                inside.discard(task)

        return call

    for name in METHODS:
        method = getattr(driver, name, None)
        if method is not None:
            setattr(driver, name, wrapped(name, method))


def subject(arguments: tuple[Any, ...]) -> str:
    """The names of the volumes and snapshots among the arguments."""
    names = (getattr(argument, "name", None) for argument in arguments if hasattr(argument, "project_id"))
    return ", ".join(str(name) for name in names if name)
