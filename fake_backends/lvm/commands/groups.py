"""Physical volumes and volume groups: pvcreate, pvresize, vgcreate, vgremove, vgchange, vgck; and lvm itself.

Source: tools/pvcreate.c, pvresize.c, vgcreate.c, vgremove.c, vgchange.c of lvm2 2.03.16.
"""

from __future__ import annotations

from fake_backends.block_store import CHUNK
from fake_backends.lvm.commands.errors import Failed
from fake_backends.lvm.commands.session import Session
from fake_backends.lvm.extents import PhysicalVolume
from fake_backends.lvm.logical_volume import ThickSnapshot
from fake_backends.lvm.names import legal, without_dev
from fake_backends.lvm.volume_group import VolumeGroup
from harness.errors import StorageError


def pvcreate(session: Session) -> None:
    """Make physical volumes of disks."""
    for path in session.arguments.names:
        disk = _disk(session, path)
        owner = session.host.group_of(disk)
        if owner:
            raise Failed(
                f'Can\'t initialize physical volume "{path}" of volume group "{owner.name}" without -ff',
                f"{path}: physical volume not initialized.",
            )
        disk.initialize()
        session.say(f'Physical volume "{path}" successfully created.')


def pvresize(session: Session) -> None:
    """Take notice of a disk that has grown."""
    changed = 0
    for path in session.arguments.names:
        disk = _disk(session, path)
        if not disk.labelled:
            raise Failed(f'Failed to find physical volume "{path}".')
        group = session.host.group_of(disk)
        disk.grow(group.extent_size if group else CHUNK)
        if group:
            group.touch()
        else:
            disk.follow_size()
        session.say(f'Physical volume "{path}" changed')
        changed += 1
    session.say(f"{changed} physical volume(s) resized or updated / 0 physical volume(s) not resized")


def vgcreate(session: Session) -> None:
    """Make a volume group of disks, which become physical volumes if they are none yet."""
    if len(session.arguments.names) < 2:
        raise session.usage("Please provide volume group name and physical volumes")
    name, *paths = session.arguments.names
    name = without_dev(name)
    if not legal(name):
        raise session.usage(
            "Name contains invalid character, valid set includes: [a-zA-Z0-9.-_+].",
            f'New volume group name "{name}" is invalid.',
        )
    if name in session.host.volume_groups:
        raise Failed(f"A volume group called {name} already exists.")
    disks = [_disk(session, path) for path in paths]
    for disk in disks:
        if owner := session.host.group_of(disk):
            raise Failed(
                f"Physical volume '{disk.name}' is already in volume group '{owner.name}'",
                f"Unable to add physical volume '{disk.name}' to volume group '{owner.name}'",
                f"{disk.name}: physical volume not initialized.",
            )
    for disk in disks:
        if not disk.labelled:
            session.say(f'Physical volume "{disk.name}" successfully created.')
    size = session.arguments.size("physicalextentsize")
    session.host.make_group(
        name, disks, extent_size=size[1] if size else CHUNK, tags=session.arguments.texts("addtag")
    )
    session.say(f'Volume group "{name}" successfully created')


def vgremove(session: Session) -> None:
    """Remove a volume group, with ``-f`` also the volumes in it. The disks stay physical volumes."""
    for path in session.arguments.names:
        name = without_dev(path)
        group = session.group(name, writing=True)
        _empty(session, group)
        session.host.remove_group(group)
        session.say(f'Volume group "{name}" successfully removed')


def _empty(session: Session, group: VolumeGroup) -> None:
    visible = len(group.names()) + len(group.pools())
    if visible and not session.arguments.has("force"):
        question = (
            f'Do you really want to remove volume group "{group.name}" containing {visible} logical volumes?'
        )
        if not session.asks(question):
            raise Failed(f'Volume group "{group.name}" not removed')
    pools = [group.pool(name) for name in group.pools()]
    thin = [volume.name for pool in pools for volume in pool.volumes]
    origins = [
        name
        for name, volume in group.volumes.items()
        if name not in thin and not isinstance(volume, ThickSnapshot)
    ]
    for name in (*origins, *(pool.name for pool in pools)):
        gone = _going(group, name)
        group.remove(name, cascade=True)
        for one in gone:
            session.say(f'Logical volume "{one}" successfully removed.')


def _going(group: VolumeGroup, name: str) -> list[str]:
    if name in group.pools():
        volumes = group.pool(name).volumes
        return [*sorted(one.name for volume in volumes for one in (*volume.snapshots, volume)), name]
    return [*sorted(snapshot.name for snapshot in group.volume(name).snapshots), name]


def vgchange(session: Session) -> None:
    """Activate or deactivate all volumes of groups, or tag the groups."""
    names = [without_dev(name) for name in session.arguments.names]
    for name in names or sorted(session.host.volume_groups):
        group = session.group(name, writing=True)
        if session.arguments.has("addtag") or session.arguments.has("deltag"):
            kept = [tag for tag in group.tags if tag not in session.arguments.texts("deltag")]
            group.tags[:] = dict.fromkeys([*kept, *session.arguments.texts("addtag")])
            group.touch()
            session.say(f'Volume group "{name}" successfully changed')
        activation = session.arguments.text("activate")
        if activation is not None:
            _activate_all(session, group, wanted=not activation.endswith("n"))


def _activate_all(session: Session, group: VolumeGroup, *, wanted: bool) -> None:
    failed = False
    for name in [*group.names(), *group.pools()]:
        try:
            if wanted:
                group.activate(name, skipping=True)
            else:
                group.deactivate(name)
        except StorageError as error:
            session.warn(str(error))
            failed = True
    volumes = [group.volume(name) for name in group.names()]
    active = sum(volume.active for volume in volumes) + sum(group.pool(name).active for name in group.pools())
    session.say(f'{active} logical volume(s) in volume group "{group.name}" now active')
    if failed:
        raise Failed()


def vgck(session: Session) -> None:
    """Find nothing wrong with a group whose disks are all there."""
    for name in session.arguments.names or sorted(session.host.volume_groups):
        group = session.group(without_dev(name))
        if missing := session.devices.missing(group):
            raise Failed(f"The volume group is missing {len(missing)} physical volumes.")


def _disk(session: Session, path: str) -> PhysicalVolume:
    """The visible disk of that name. Failed for anything else."""
    for disk in session.devices.disks():
        if disk.name == path:
            return disk
    if session.host.is_device(path):
        raise Failed(f"Cannot use {path}: device is an LV")
    raise Failed(f"No device found for {path}.")
