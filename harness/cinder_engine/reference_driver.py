"""Crucible's reference drivers as drivers of the real Cinder: rung B of the ladder of truth.

Cinder's objects become Crucible's records on the way in, and Crucible's errors those of `cinder.exception` of
the same name on the way out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from types import ModuleType
from typing import Any

from cinder import context as cinder_context
from cinder import exception, objects
from cinder.volume import driver as cinder_driver
from cinder.volume.drivers import lvm as _lvm_options  # noqa: F401 (registers the options of the section)
from cinder.volume.drivers import nfs as _nfs_options  # noqa: F401
from cinder.volume.drivers import rbd as _rbd_options  # noqa: F401

from harness import errors
from harness.cinder_engine.rows import Database
from harness.cinder_engine.seams import releases
from harness.cinder_engine.seams.driver_calls import METHODS
from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage
from harness.control_plane.deployment import make_driver
from harness.driver import VolumeDriver
from harness.model import Attachment, Context, Snapshot, Volume
from harness.record import Record

MODULE = "crucible_reference_drivers"
"""Where `volume_driver` finds the class, which knows the stage of its process."""
_VOLUME_ROW, _TYPE_ROW = releases.models().Volume, releases.models().VolumeType
CONTEXT = Context("cinder", "service", is_admin=True)


def install(patches: Patches, stage: Stage) -> dict[str, str]:
    """Make the driver importable; returns its path by kind of back-end."""
    module = ModuleType(MODULE)
    module.Driver = type("Driver", (ReferenceDriver,), {"stage": stage})  # type: ignore[attr-defined]
    patches.module(MODULE, module)
    return dict.fromkeys(("lvm", "rbd", "nfs"), f"{MODULE}.Driver")


class ReferenceDriver(cinder_driver.VolumeDriver):  # type: ignore[misc]  # Cinder is untyped
    """Delegates to the reference driver of its back-end."""

    stage: Stage
    VERSION = "1.0.0"

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        plan = self.stage.plan
        assert plan is not None
        self._reference: VolumeDriver = make_driver(plan, self.stage.playing.world)

    def _delegate(self, method: str, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
        store = DriverRecords(self.stage.playing.database)
        given = [_record(argument, store) for argument in arguments]
        named = {name: _record(argument, store) for name, argument in keywords.items()}
        try:
            return getattr(self._reference, method)(*given, **named)
        except errors.ServiceError as error:
            raise _cinder_error(error) from error


class DriverRecords(Database):
    """Records for a driver, which may save what it has changed: through Cinder's objects, as real ones do."""

    def __init__(self, database: Database) -> None:
        super().__init__(database._connection, database._server_name)
        self.given: dict[str, Any] = {}
        """The objects that the driver was given, by id."""

    def save(self, record: Record) -> None:
        kind = objects.VolumeAttachment if isinstance(record, Attachment) else objects.Volume
        real = self.given.get(record.id) or kind.get_by_id(_admin(), record.id)
        with real.obj_as_admin() if kind is objects.Volume else nullcontext():
            for name, value in record.changes().items():
                setattr(real, name, value)
            real.save()


def _method(name: str) -> Callable[..., Any]:
    def call(self: ReferenceDriver, *arguments: Any, **keywords: Any) -> Any:
        return self._delegate(name, arguments, keywords)

    call.__name__ = name
    return call


for _name in (*METHODS, "do_setup", "check_for_setup_error", "get_volume_stats"):
    setattr(ReferenceDriver, _name, _method(_name))


def _record(value: Any, database: DriverRecords) -> Any:
    """Cinder's object, or database model, as the record that Crucible's drivers know."""
    if isinstance(value, cinder_context.RequestContext):
        return CONTEXT
    if isinstance(value, _VOLUME_ROW):
        return database.get_volume(value.id)
    if isinstance(value, objects.Volume):
        database.given[value.id] = value
        return _volume(value, database)
    if isinstance(value, objects.Snapshot):
        return Snapshot.from_row(_fields(value, Snapshot.DEFAULTS), database)
    if isinstance(value, objects.VolumeType | _TYPE_ROW):
        return database.get_volume_type(value["id"])
    return value


def _volume(value: Any, database: Database) -> Volume:
    """With the attachments that the object came with: it may be stale, and drivers look at it."""
    fields = {**_fields(value, Volume.DEFAULTS), "created_at": None, "launched_at": None}
    if (row := database.volumes.get(value.id)) is not None:
        # An object that came with a member's request has none; drivers look with an admin's eyes.
        fields["admin_metadata"] = row["admin_metadata"]
    volume = Volume.from_row(fields, database)
    known = [attachment.id for attachment in value.volume_attachment or ()]
    rows = database.attachments
    volume.__dict__["volume_attachment"] = [
        database.get_attachment(attachment_id) for attachment_id in known if attachment_id in rows
    ]
    return volume


def _fields(value: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, default in defaults.items():
        try:
            found = getattr(value, name, default)
        except (NotImplementedError, exception.CinderException):
            found = default  # a field that was not loaded, and cannot be loaded any more
        fields[name] = dict(found) if isinstance(default, dict) and found else found
    return fields


def _admin() -> Any:
    return cinder_context.get_admin_context()


def _cinder_error(error: errors.ServiceError) -> Exception:
    kind = getattr(exception, type(error).__name__, exception.VolumeDriverException)
    made: Exception = kind(message=str(error))
    return made
