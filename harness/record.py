"""What every record of the control plane is: a copy of a row of the database.

A record that a service holds goes stale when somebody else writes, as Cinder's versioned objects do, and `save`
writes only the fields that were assigned since it was loaded (`cinder.objects.base:CinderPersistentObject`).
Much of what goes wrong in a migration goes wrong because of exactly this, so it is modelled and not smoothed
over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from harness.model import Attachment, Snapshot, Volume, VolumeType


class HostParts(NamedTuple):
    """The three parts of ``host@backend#pool``; the last two may be empty."""

    host: str
    backend: str
    pool: str


def split_host(address: str) -> HostParts:
    """Take ``host@backend#pool`` apart (`cinder.volume.volume_utils:extract_host`)."""
    service, _, pool = address.partition("#")
    host, _, backend = service.partition("@")
    return HostParts(host, backend, pool)


def service_host(address: str) -> str:
    """``host@backend`` of ``host@backend#pool``: the volume service that a message goes to."""
    return address.partition("#")[0]


def _own(value: dict[str, Any]) -> dict[str, Any]:
    """A copy of a dict and of the dicts in it; what is in those is never changed in place."""
    copy = value.copy()
    for key, item in value.items():
        if isinstance(item, dict):
            copy[key] = _own(item)
    return copy


class Store(Protocol):
    """What a record needs of the database that it was loaded from."""

    def save(self, record: Record) -> None: ...
    def refresh(self, record: Record) -> None: ...
    def get_volume(self, volume_id: str) -> Volume: ...
    def get_volume_type(self, type_id: str) -> VolumeType: ...
    def attachments_of(self, volume_id: str) -> list[Attachment]: ...
    def snapshots_of(self, volume_id: str) -> list[Snapshot]: ...


class Record:
    """A copy of one database row. Assigning a field marks it as changed; `save` writes the changed ones."""

    TABLE: ClassVar[str]
    DEFAULTS: ClassVar[Mapping[str, Any]]
    NESTED: ClassVar[tuple[str, ...]] = ()
    """The fields that hold dicts."""

    id: str
    _store: Store
    _changed: set[str]
    _loaded: dict[str, Any]

    @classmethod
    def from_row(cls, row: Mapping[str, Any], store: Store) -> Self:
        """A fresh copy of a row, with nothing changed. It shares nothing with the row that can change."""
        record = cls.__new__(cls)
        fields = record.__dict__
        fields.update(row)
        fields["_store"] = store
        fields["_changed"] = set()
        fields["_loaded"] = dict(zip(cls.NESTED, map(fields.pop, cls.NESTED), strict=True))
        return record

    @classmethod
    def revived(cls, row: dict[str, Any]) -> dict[str, Any]:
        """A row that came out of JSON, with the types that JSON does not have."""
        return row

    def _set_aside(self) -> None:
        """Keep nested values as they are in the row: to copy them when asked, and to see what was changed."""
        fields, loaded = self.__dict__, self._loaded
        fields["_loaded"] = {name: fields.pop(name) if name in fields else loaded[name] for name in self.NESTED}

    if not TYPE_CHECKING:  # or every attribute would pass for one that records have

        def __getattr__(self, name):
            """The record's own copy of a nested value, made when it is first asked for: most never are."""
            if name not in self.__dict__.get("_loaded", ()):
                raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
            value = self._loaded[name]
            self.__dict__[name] = _own(value) if value is not None else None
            return self.__dict__[name]

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.DEFAULTS:
            self.__dict__[name] = value
            self._changed.add(name)
        else:
            object.__setattr__(self, name, value)

    def changes(self) -> dict[str, Any]:
        """The fields assigned since the record was loaded or saved, sorted by name.

        As in Cinder, a change inside of `metadata` and its kin counts (`cinder.objects.volume:Volume.
        obj_what_changed`), one inside of `connector` or `connection_info` does not.
        """
        fields, changed = self.__dict__, self._changed
        for name, value in self._loaded.items():
            if name in fields and fields[name] != value and self.DEFAULTS[name] is not None:
                changed.add(name)
        changes = {name: fields[name] for name in sorted(changed)}
        for name in self.NESTED:
            if changes.get(name) is not None:
                changes[name] = _own(changes[name])
        return changes

    def update(self, values: Mapping[str, Any]) -> None:
        """Assign several fields; keys that are no fields are ignored, as Cinder ignores them."""
        known = {name: value for name, value in values.items() if name in self.DEFAULTS}
        self.__dict__.update(known)
        self._changed.update(known)

    def save(self) -> None:
        """Write the changed fields to the row; other fields of the row stay as others left them."""
        self._store.save(self)
        self._changed.clear()
        self._set_aside()

    def refresh(self) -> None:
        """Load the row again; unsaved changes are dropped. Raises the record's not-found error."""
        self._store.refresh(self)
        self._changed.clear()
        self._set_aside()

    def copy(self) -> Self:
        """What the other side of a message sees: the same fields, the unsaved changes included."""
        record = self.__new__(type(self))
        fields = record.__dict__
        fields.update(self.__dict__)
        fields["_changed"] = set(self._changed)
        for name in self.NESTED:
            if fields.get(name) is not None:
                fields[name] = _own(fields[name])
        return record

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


class Clustered(Record):
    """A record that a service looks after, or a cluster of them (`cinder.objects.base:ClusteredObject`)."""

    host: str | None
    cluster_name: str | None

    @property
    def resource_backend(self) -> str:
        """`cluster_name` of what a cluster serves, else `host`: as what the scheduler knows its pool."""
        return self.cluster_name or self.host or ""

    @property
    def service_topic_queue(self) -> str:
        """The queue of its service, or of its cluster, where any service of it may answer."""
        return service_host(self.resource_backend)
