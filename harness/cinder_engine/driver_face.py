"""A driver of Cinder's with the face that Crucible's laws know: the mirror image of `reference_driver`.

Crucible's records and images become Cinder's objects on the way in, and errors of `cinder.exception` those of
`harness.errors` of the same name on the way out. What a driver changes in an object is changed in the record,
too, because Cinder's manager goes on with that object.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from cinder import context as cinder_context
from cinder import exception, objects

from harness import errors
from harness.cinder_engine.seams.images import Glance
from harness.cinder_engine.seams.stage import Stage
from harness.cinder_engine.service import objects_in
from harness.control_plane.deployment import BackendPlan
from harness.control_plane.images import ImageService
from harness.model import Context, Snapshot, Volume, VolumeType
from harness.record import Record

_KINDS = {Volume: objects.Volume, Snapshot: objects.Snapshot, VolumeType: objects.VolumeType}


_PAGE = (None, 1000, 0, ["reference"], ["asc"])
"""Marker, limit, offset, and what is sorted by which way."""


class DriverFace:
    """Whatever the driver has, called on the machine of its service."""

    def __init__(self, driver: Any, plan: BackendPlan, stage: Stage) -> None:
        self._driver = driver
        self._plan = plan
        self._stage = stage

    def __repr__(self) -> str:
        """That of the driver: its user has never heard of a face."""
        return repr(self._driver)

    def objects(self) -> list[str] | None:
        """Names of what is in the back-end, told by the storage; None if nobody can tell."""
        return objects_in(self._stage.playing.world, self._plan)

    def get_manageable_volumes(self, volumes: Sequence[Volume]) -> Any:
        """All of them on one page (`cinder.volume.manager:VolumeManager.get_manageable_volumes`)."""
        return self._call(self._driver.get_manageable_volumes, (volumes, *_PAGE), {})

    def get_manageable_snapshots(self, snapshots: Sequence[Snapshot]) -> Any:
        """All of them on one page."""
        return self._call(self._driver.get_manageable_snapshots, (snapshots, *_PAGE), {})

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._driver, name)
        if not callable(value) or name.startswith("_"):
            return value
        return lambda *arguments, **keywords: self._call(value, arguments, keywords)

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("_driver", "_plan", "_stage"):
            object.__setattr__(self, name, value)
        else:
            setattr(self._driver, name, value)

    def _call(self, method: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        given: list[Given] = []
        with self._stage.inside(self._plan):
            try:
                answer = method(
                    *(self._real(each, given) for each in arguments),
                    **{name: self._real(each, given) for name, each in keywords.items()},
                )
            except exception.CinderException as error:
                raise crucible_error(error) from error
        self._stage.mask.learn(answer)
        for each in given:
            each.take_over()
        return answer

    def _real(self, value: Any, given: list[Given]) -> Any:
        """Cinder's own for a record, a list of them, a context or an image service; anything else as it is."""
        if isinstance(value, list):
            return [self._real(each, given) for each in value]
        if isinstance(value, Context):
            return cinder_context.get_admin_context()
        if isinstance(value, ImageService):
            return Glance(self._stage, value)
        if not isinstance(value, Volume | Snapshot | VolumeType):
            return value
        real = _loaded(_KINDS[type(value)], value.id)
        for name, changed in value.changes().items():
            setattr(real, name, changed)
        given.append(Given(value, real))
        return real


class Given:
    """A record, and the object that the driver was given for it."""

    def __init__(self, record: Record, real: Any) -> None:
        self._record = record
        self._real = real
        self._before = self._fields()

    def _fields(self) -> dict[str, Any]:
        return {
            name: copy.copy(getattr(self._real, name))
            for name in self._record.DEFAULTS
            if name in self._real.fields and self._real.obj_attr_is_set(name)
        }

    def take_over(self) -> None:
        """What the driver has changed meanwhile, be it saved or not."""
        for name, value in self._fields().items():
            if value != self._before.get(name):
                setattr(self._record, name, value)


def _loaded(kind: Any, record_id: str) -> Any:
    """The object of a row. One whose row was deleted meanwhile is still in the hands of whoever had it."""
    context = cinder_context.get_admin_context()
    try:
        return kind.get_by_id(context, record_id)
    except exception.NotFound:
        real = kind.get_by_id(cinder_context.get_admin_context(read_deleted="yes"), record_id)
        real._context = context
        return real


def crucible_error(error: Exception) -> Exception:
    """The error of Crucible's of the same name, or of the first ancestor that has one."""
    for ancestor in type(error).__mro__:
        kind = getattr(errors, ancestor.__name__, None)
        if isinstance(kind, type) and issubclass(kind, errors.ServiceError):
            return kind(f"{error}")
    return error
