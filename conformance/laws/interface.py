"""The outside of a driver: its methods take what the manager passes, and it says who it is."""

from __future__ import annotations

import inspect
from typing import Any

from conformance.law import Chapter, holds
from conformance.subjects import Subject
from harness.signatures import misfit, signature_of

REQUIRED = (
    "check_for_setup_error",
    "create_export",
    "create_volume",
    "delete_volume",
    "do_setup",
    "ensure_export",
    "extend_volume",
    "get_volume_stats",
    "initialize_connection",
    "remove_export",
    "terminate_connection",
    "create_cloned_volume",
    "create_snapshot",
    "create_volume_from_snapshot",
    "delete_snapshot",
)
"""What Cinder requires of every driver (`cinder.interface.volume_driver:VolumeDriverCore`)."""
DO_NOTHING = (
    "check_for_setup_error",
    "create_export",
    "do_setup",
    "ensure_export",
    "remove_export",
    "terminate_connection",
)
"""Of these the interface's own do what many drivers need: nothing."""


class Still:
    """A stage on which nothing runs: the class is looked at."""

    def __init__(self, subject: Subject, seed: int = 0) -> None:
        self.subject = subject
        self.driver: type[Any] = subject.driver

    def steps(self) -> list[str]:
        return []

    def misconduct(self) -> list[str]:
        return []

    def is_foreign(self, error: BaseException) -> bool:
        return False

    def close(self) -> None:
        return None


law = Chapter("interface", level="core", stage=Still)
INTERFACE = "cinder.interface"


@law(source="cinder.volume.manager:VolumeManager")
def methods_take_what_the_manager_passes(still: Still) -> None:
    """Every method takes the arguments that Cinder's manager passes, by position and by name."""
    for call in still.subject.calls():
        if not hasattr(still.driver, call.method):
            continue  # the manager asks for it only where there is one, or another law says that it is missing
        method = inspect.getattr_static(still.driver, call.method)
        bound = isinstance(method, classmethod | staticmethod)
        signature = signature_of(getattr(still.driver, call.method), bound=bound)
        reason = misfit(signature, call)
        shown = ", ".join(map(str, signature))
        holds(not reason, f"{call.method}({shown}) {reason}, but should take {call}")


@law(source=f"{INTERFACE}.volume_driver:VolumeDriverCore")
def the_required_methods_are_there(still: Still) -> None:
    """A driver has the methods that Cinder requires of every driver."""
    missing = [name for name in REQUIRED if name not in DO_NOTHING and not still.subject.has(name)]
    holds(not missing, f"{still.driver.__name__} has no {', '.join(missing)}, but should have")


@law(source="cinder.volume.driver:BaseVD.get_version")
def a_driver_has_a_version(still: Still) -> None:
    """VERSION is a text of numbers."""
    version = getattr(still.driver, "VERSION", None)
    holds(
        isinstance(version, str) and version[:1].isdigit(),
        f"VERSION is {version!r}, but should be a text such as '1.0.0'",
    )


@law(source="cinder.interface.volume_driver:VolumeDriverCore.get_driver_options")
def driver_options_can_be_listed(still: Still) -> None:
    """get_driver_options, where a driver has it, is called on the class and returns options with names."""
    declare = getattr(still.driver, "get_driver_options", None)
    if declare is None:
        return
    options = declare()
    holds(
        isinstance(options, list | tuple) and all(getattr(each, "name", None) for each in options),
        f"get_driver_options returned {options!r}, but should return a list of options",
    )
