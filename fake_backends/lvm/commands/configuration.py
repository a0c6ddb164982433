"""Which disks a command sees: filters of lvm.conf and of ``--config``, and what follows when some are hidden.

Source: lib/filters and lib/metadata of lvm2 2.03.16.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fake_backends.lvm.commands.errors import Failed
from fake_backends.lvm.extents import PhysicalVolume
from fake_backends.lvm.logical_volume import LinearVolume, LogicalVolume, ThickSnapshot
from fake_backends.lvm.volume_group import VolumeGroup

if TYPE_CHECKING:
    from fake_backends.lvm.commands.session import Session

DEFAULT_DIRECTORY = "/etc/lvm"
_FILTER = re.compile(r"\b(?:global_)?filter\s*=\s*\[([^\]]*)\]")
_PATTERN = re.compile(r'"([ar])(.)(.*?)\2"')


class Visibility:
    """The filters that are in force, as (accept, pattern) in their order."""

    def __init__(self, *configurations: str) -> None:
        self.patterns: list[tuple[bool, re.Pattern[str]]] = []
        for text in configurations:
            for found in _FILTER.finditer(text):
                self.patterns = [
                    (kind == "a", re.compile(pattern)) for kind, _, pattern in _PATTERN.findall(found[1])
                ]

    def sees(self, disk: PhysicalVolume) -> bool:
        """Whether the first pattern that matches accepts; without any, yes."""
        for accept, pattern in self.patterns:
            if pattern.search(disk.name):
                return accept
        return True


class VisibleDevices:
    """The volume groups of a host as one command sees them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        directory = session.environment.get("LVM_SYSTEM_DIR") or DEFAULT_DIRECTORY
        stored = session.host.files.get(f"{directory}/lvm.conf")
        text = stored.read(0, stored.size).decode() if stored else ""
        self._visibility = Visibility(text, *session.arguments.texts("config"))

    def disks(self) -> list[PhysicalVolume]:
        """The visible disks."""
        return [disk for disk in self._session.host.all_disks() if self._visibility.sees(disk)]

    def hidden(self, group: VolumeGroup) -> list[PhysicalVolume]:
        """Disks of a group that this command does not see."""
        return [disk for disk in group.disks if not self._visibility.sees(disk)]

    def missing(self, group: VolumeGroup) -> list[PhysicalVolume]:
        """Those, and the ones that were not seen when the metadata was written, and so have an older one."""
        return [disk for disk in group.disks if disk.uuid in group.outdated or not self._visibility.sees(disk)]

    def groups(self) -> list[VolumeGroup]:
        """The groups of which anything is visible, by name."""
        groups = sorted(self._session.host.volume_groups.items())
        return [group for _, group in groups if len(self.hidden(group)) < len(group.disks)]

    def group(self, name: str, *, writing: bool = False) -> VolumeGroup:
        """The group of that name. Failed if it is not there, or may not be changed because of missing disks."""
        group = self._session.host.volume_groups.get(name)
        if group is None or len(self.hidden(group)) == len(group.disks):
            raise Failed(f'Volume group "{name}" not found', f"Cannot process volume group {name}")
        self.complain(group)
        if writing and self.missing(group):
            raise Failed(
                f"Cannot change VG {name} while PVs are missing.",
                "See vgreduce --removemissing and vgextend --restoremissing.",
                f"Cannot process volume group {name}",
            )
        return group

    def complain(self, group: VolumeGroup) -> None:
        """Warn of the missing disks of a group."""
        for disk in self.hidden(group):
            self._session.warn(f"WARNING: Couldn't find device with uuid {disk.uuid}.")
            where = "[unknown]" if disk.uuid in group.outdated else disk.name
            self._session.warn(f"WARNING: VG {group.name} is missing PV {disk.uuid} (last written to {where}).")
        for disk in group.disks:
            if disk.uuid in group.outdated and self._visibility.sees(disk):
                self._complain_of_old_metadata(group, disk)

    def _complain_of_old_metadata(self, group: VolumeGroup, disk: PhysicalVolume) -> None:
        current = next(other for other in group.disks if other.uuid not in group.outdated)
        old = f"seqno {group.outdated[disk.uuid]} on {disk.name}"
        new = f"seqno {group.seqno} on {current.name}"
        for line in (
            f"WARNING: ignoring metadata {old} for {new} for VG {group.name}.",
            f"WARNING: Inconsistent metadata found for VG {group.name}.",
            "See vgck --updatemetadata to correct inconsistency.",
            f"WARNING: VG {group.name} was previously updated while PV {disk.name} was missing.",
            f"WARNING: VG {group.name} was missing PV {disk.name} {disk.uuid}.",
        ):
            self._session.warn(line)

    def written(self, group: VolumeGroup, before: int) -> None:
        """The metadata may have changed since generation `before`: disks that are not seen keep that one."""
        if group.seqno == before:
            return
        for disk in self.hidden(group):
            group.outdated.setdefault(disk.uuid, before)
            for _ in range(2):
                self._session.warn(f"WARNING: Couldn't find device with uuid {disk.uuid}.")

    def complain_of_volumes(self, group: VolumeGroup) -> None:
        """Warn of the volumes that lie on missing disks, as commands that only read do."""
        missing = self.hidden(group)
        if not missing:
            return
        for name, volume in sorted(group.volumes.items()):
            if lies_on(volume, missing):
                self._session.warn(
                    f"WARNING: Couldn't find all devices for LV {group.name}/{name} "
                    "while checking used and assumed devices."
                )


def lies_on(volume: LogicalVolume, disks: list[PhysicalVolume]) -> bool:
    """Whether any extent of a volume is on one of the disks."""
    if isinstance(volume, LinearVolume | ThickSnapshot):
        return any(segment.disk in disks for segment in volume.area.segments)
    return False
