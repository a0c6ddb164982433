"""``crucible storage``: what a storage directory holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fake_backends.block_store import CHUNK
from fake_backends.files.names import true_name
from fake_backends.files.storage import StorageDirectory
from fake_backends.host.paths import Host
from fake_backends.lvm.commands import execute
from fake_backends.lvm.logical_volume import LogicalVolume, ThickSnapshot
from fake_backends.lvm.thin_pool import ThinVolume
from fake_backends.lvm.volume_group import VolumeGroup
from fake_backends.nfs.share import Share
from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.image import Image
from fake_backends.world import World
from harness.commands import options
from harness.commands.options import Session
from harness.errors import InputError
from harness.matrix.cell_storage import CELLS
from reports.printable import printable
from reports.terminal import console

Row = tuple[str, str, int | None, int | None, str]
"""What it is, its name, its size and the space that it takes in bytes, and more about it."""


@click.command("storage")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--host", "hostname", metavar="NAME", help="Where the command runs, if there are several hosts.")
@click.argument("words", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@options.debug
@click.pass_obj
def storage(session: Session, *, directory: Path, hostname: str | None, words: tuple[str, ...]) -> int:
    """Show what a directory of --storage-dir holds, or run a command on it.

    Volume groups, volumes, pools, images, snapshots, shares and files, with their sizes and the space that
    they take; for a directory of several cells, of each cell in turn.

    \b
    crucible storage DIR -- lvs -a --units m

    runs a command line of lvm2 on a host that is kept there, and exits as that does.
    """
    if words:
        return _run(directory, hostname, words)
    if hostname is not None:
        raise InputError(f"--host {hostname}: add a command, such as -- lvs")
    out = console()
    with StorageDirectory(directory, create=False) as opened:
        found = _show(out, World(home=opened.root))
        cells = directory / CELLS
        for place in sorted(cells.iterdir()) if cells.is_dir() else ():
            with StorageDirectory(place, create=False) as cell:
                title = printable(f"{true_name(place.name) or place.name}: {place}")
                out.print(Text(title, style="bold"), soft_wrap=True)
                found = _show(out, World(home=cell.root)) or found
    if not found:
        out.print("nothing is stored here")
    return 0


def _run(directory: Path, hostname: str | None, words: Sequence[str]) -> int:
    with StorageDirectory(directory, create=False) as opened:
        world = World(home=opened.root)
        try:
            result = execute(_host(directory, world, hostname), words)
        finally:
            world.close()
    click.echo(result.stdout, nl=False)
    click.echo(result.stderr, nl=False, err=True)
    return result.rc


def _host(directory: Path, world: World, hostname: str | None) -> Host:
    """The host of that name, or the only one. InputError."""
    names = ", ".join(world.nodes)
    if not world.nodes:
        cells = directory / CELLS
        hint = f"; those of cells are in {cells}" if cells.is_dir() else ""
        raise InputError(f"{directory}: has no host{hint}")
    if hostname is None and len(world.nodes) > 1:
        raise InputError(f"{directory}: has several hosts; add --host with one of {names}")
    if hostname is not None and hostname not in world.nodes:
        raise InputError(f"--host {hostname}: is not in {directory}; hosts: {names}")
    return world.nodes[hostname or names]


def _show(out: Console, world: World) -> bool:
    """Print a table of what there is; False if there is nothing."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("what", no_wrap=True)
    table.add_column("name", overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("used", justify="right", no_wrap=True)
    table.add_column("")
    for what, name, size, used, more in rows(world):
        table.add_row(what, printable(name), _bytes(size), _bytes(used), printable(more))
    if table.row_count:
        out.print(table)
    world.close()
    return table.row_count > 0


def rows(world: World) -> Iterator[Row]:
    """Everything that a world has, containers before what is in them."""
    for hostname, node in world.nodes.items():
        yield "host", hostname, None, None, node.address
        for group in node.volume_groups.values():
            yield from _group_rows(f"{hostname}/{group.name}", group)
    for cluster in world.clusters.values():
        yield from _cluster_rows(cluster)
    for share in dict.fromkeys(world.shares.values()):
        yield from _share_rows(share)


def _group_rows(path: str, group: VolumeGroup) -> Iterator[Row]:
    disks = "1 physical volume" if len(group.disks) == 1 else f"{len(group.disks)} physical volumes"
    yield "volume group", path, group.size, group.size - group.free, disks
    for name in group.pools():
        pool = group.pool(name)
        volumes = "1 volume" if len(pool.volumes) == 1 else f"{len(pool.volumes)} volumes"
        yield "thin pool", f"{path}/{name}", pool.size, pool.data_used, volumes
    for volume in group.volumes.values():
        what, used = _kind(volume)
        more = [f"of {volume.origin.name}"] if volume.origin else []
        more += [] if volume.active else ["inactive"]
        yield what, f"{path}/{volume.name}", volume.size, used, ", ".join(more)


def _kind(volume: LogicalVolume) -> tuple[str, int]:
    """What lvm2 calls it, and the bytes of extents or pool blocks that it takes."""
    if isinstance(volume, ThickSnapshot):
        return "snapshot", volume.listed_size
    if isinstance(volume, ThinVolume):
        return ("thin snapshot" if volume.origin else "thin volume"), volume.data_used
    return "volume", volume.size


def _cluster_rows(cluster: Cluster) -> Iterator[Row]:
    whole = cluster.statistics()
    yield "cluster", cluster.name, whole.total, whole.used, ""
    for pool in cluster.pools.values():
        space = pool.statistics()
        yield "pool", f"{cluster.name}/{pool.name}", space.total, space.used, "quota" if pool.max_bytes else ""
        for name in pool.names():
            yield from _image_rows(f"{cluster.name}/{pool.name}/{name}", pool.images[name], [])
        for image_id in sorted(pool.trash):
            trashed = pool.trash[image_id]
            more = ["in the trash", *([f"for {trashed.delay_s} s"] if trashed.delay_s else [])]
            yield from _image_rows(f"{cluster.name}/{pool.name}/{trashed.image.name}", trashed.image, more)


def _image_rows(path: str, image: Image, more: list[str]) -> Iterator[Row]:
    if image.parent is not None:
        more.append(f"clone of {image.parent.image.path}@{image.parent.snapshot.name}")
    yield "image", path, image.size, len(image.head.own) * CHUNK, ", ".join(more)
    for snapshot in image.snapshots:
        clones = f"{len(snapshot.children)} clones" if len(snapshot.children) != 1 else "1 clone"
        said = [*(["protected"] if snapshot.protected else []), *([clones] if snapshot.children else [])]
        kept = snapshot.own.common(snapshot.changed) * CHUNK
        yield "snapshot", f"{path}@{snapshot.name}", snapshot.size, kept, ", ".join(said)


def _share_rows(share: Share) -> Iterator[Row]:
    space = share.statistics()
    yield "share", share.export, space.total, space.total - space.available, ""
    for name in share.names():
        file = share.file(name)
        yield "file", f"{share.export}/{name}", file.size, file.allocated, ""


def _bytes(count: int | None) -> str:
    """In the largest unit that leaves no more than two decimals, as people say it."""
    if count is None:
        return ""
    unit, size = "B", float(count)
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        unit, size = larger, size / 1024
    return f"{size:.2f}".rstrip("0").rstrip(".") + f" {unit}"
