"""lvs, vgs, pvs, and the ``-C`` forms of lvdisplay, vgdisplay and pvdisplay.

Rows are sorted by group and name; a column of segments makes a row of each segment. Cells are aligned and
headed unless ``--separator`` or ``--noheadings`` say otherwise. Source: libdm/libdm-report.c and
tools/reporter.c of lvm2 2.03.16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from fake_backends.lvm.commands.columns import COLUMNS, Column, Row, resolved
from fake_backends.lvm.commands.entries import Entry, entries
from fake_backends.lvm.commands.errors import Failed
from fake_backends.lvm.commands.session import Session
from fake_backends.lvm.commands.sizes import printer
from fake_backends.lvm.names import without_dev
from fake_backends.lvm.volume_group import VolumeGroup

UNITS = "rRhHbBsSkKmMgGtTpPeE"
_DEFAULT_COLUMNS = {
    "lv": "lv_name,vg_name,lv_attr,lv_size,pool_lv,origin,data_percent,metadata_percent,move_pv,mirror_log,"
    "copy_percent,convert_lv",
    "vg": "vg_name,pv_count,lv_count,snap_count,vg_attr,vg_size,vg_free",
    "pv": "pv_name,vg_name,pv_fmt,pv_attr,pv_size,pv_free",
}
_ROWS_OF = {"lv": {"lv", "seg", "vg"}, "vg": {"vg"}, "pv": {"pv", "vg"}}


def lvs(session: Session) -> None:
    """Logical volumes: of all groups, of those that are named, or single ones."""
    columns = _columns(session, "lv")
    per_segment = any(column.per == "seg" for column in columns)
    readonly = session.arguments.has("readonly")
    missing = {group.name: session.devices.missing(group) for group in session.devices.groups()}
    rows = [
        Row(entry.group, entry, None, segment, readonly, missing[entry.group.name])
        for entry in chosen(session)
        for segment in range(max(1, len(entry.devices)) if per_segment else 1)
    ]
    _print(session, columns, rows)


def vgs(session: Session) -> None:
    """Volume groups."""
    columns = _columns(session, "vg")
    groups = _named_groups(session)
    _print(session, columns, [Row(group, missing=session.devices.missing(group)) for group in groups])


def pvs(session: Session) -> None:
    """Physical volumes, also those that belong to no group."""
    columns = _columns(session, "pv")
    devices = session.devices
    rows: list[Row] = []
    wanted = session.arguments.names
    groups = devices.groups()
    for group in groups:
        _complain(session, group)
        missing = devices.missing(group)
        rows += [Row(group, disk=disk, missing=missing) for disk in group.disks]
    taken = [disk for group in groups for disk in group.disks]
    rows += [Row(None, disk=disk) for disk in devices.disks() if disk.labelled and disk not in taken]
    if wanted:
        rows = [row for row in rows if row.disk and row.disk.name in wanted]
        for name in wanted:
            if not any(row.disk and row.disk.name == name for row in rows):
                session.warn(f'Failed to find physical volume "{name}".')
    rows.sort(key=lambda row: str(COLUMNS["pv_name"].value(row)))
    _print(session, columns, rows)
    if wanted and len(rows) < len(wanted):
        raise Failed()


def chosen(session: Session, *, changing: bool = False) -> list[Entry]:
    """The logical volumes that the names of a command select, by group and name.

    Commands that only read warn of those that lie on missing disks, and not those that are `changing` them. A
    group selects all that are visible (hidden ones too with ``-a``), a path one, hidden or not. Failed.
    """
    names = session.arguments.names
    if not names:
        found: list[Entry] = []
        for group in session.devices.groups():
            _complain(session, group)
            found += _visible(session, group)
        return found
    chosen_entries: dict[str, dict[str, Entry]] = {}
    for name in names:
        if name.startswith("@"):
            for entry in _tagged(session, name[1:]):
                chosen_entries.setdefault(entry.group.name, {})[entry.name] = entry
            continue
        path = without_dev(name)
        if path.count("/") > 1:
            raise Failed(f'"{path}": Invalid path for Logical Volume.')
        group_name, slash, volume_name = path.partition("/")
        group = session.group(group_name)
        if not changing:
            session.devices.complain_of_volumes(group)
        selected = chosen_entries.setdefault(group_name, {})
        if not slash:
            selected.update((entry.name, entry) for entry in _visible(session, group))
            continue
        one = next((entry for entry in entries(group) if entry.name == volume_name), None)
        if one is None:
            raise Failed(f'Failed to find logical volume "{group_name}/{volume_name}"')
        selected[volume_name] = one
    return [
        entry
        for group_name in sorted(chosen_entries)
        for _, entry in sorted(chosen_entries[group_name].items())
    ]


def _tagged(session: Session, tag: str) -> list[Entry]:
    """Volumes that carry a tag, or whose group does."""
    return [
        entry
        for group in session.devices.groups()
        for entry in _visible(session, group)
        if tag in entry.tags or tag in group.tags
    ]


def _visible(session: Session, group: VolumeGroup) -> list[Entry]:
    everything = session.arguments.has("all")
    return [entry for entry in entries(group) if everything or not entry.hidden]


def _named_groups(session: Session) -> list[VolumeGroup]:
    tags = {name[1:] for name in session.arguments.names if name.startswith("@")}
    tagged = [group.name for group in session.devices.groups() if tags & set(group.tags)]
    named = [without_dev(name) for name in session.arguments.names if not name.startswith("@")]
    names = sorted({*named, *tagged})
    if not session.arguments.names:
        groups = session.devices.groups()
        for group in groups:
            _complain(session, group)
        return groups
    groups = []
    for name in names:
        groups.append(session.group(name))
        session.devices.complain_of_volumes(groups[-1])
    return groups


def _complain(session: Session, group: VolumeGroup) -> None:
    session.devices.complain(group)
    session.devices.complain_of_volumes(group)


def _columns(session: Session, about: Literal["lv", "vg", "pv"]) -> list[Column]:
    """The columns that ``-o`` asks for. Failed for one that does not exist, or not here."""
    wanted = session.arguments.text("options") or _DEFAULT_COLUMNS[about]
    if wanted.startswith("+"):
        wanted = f"{_DEFAULT_COLUMNS[about]},{wanted[1:]}"
    columns = []
    for name in wanted.split(","):
        full = resolved(name, about)
        if full is None or COLUMNS[full].per not in _ROWS_OF[about]:
            raise Failed(f"Unrecognised field: {name}")
        columns.append(COLUMNS[full])
    return columns


def _print(session: Session, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    arguments = session.arguments
    units = arguments.text("units") or "r"
    if units not in UNITS:
        raise Failed(f"Invalid argument for --units: {units}", "Error during parsing of command line.", rc=3)
    suffix = not arguments.has("nosuffix")
    separator = arguments.text("separator")
    cells = [_cells(column, rows, units, suffix=suffix) for column in columns]
    headings = not arguments.has("noheadings") and bool(rows)
    if separator is not None and not arguments.has("aligned"):
        if headings:
            session.say(separator.join(column.heading for column in columns))
        for row in zip(*cells, strict=True):
            session.say(separator.join(row))
        return
    between = " " if separator is None else separator
    widths = [
        max(column.width, *map(len, texts), len(column.heading) if headings else 0) if rows else 0
        for column, texts in zip(columns, cells, strict=True)
    ]
    if headings:
        titles = (column.heading.ljust(width) for column, width in zip(columns, widths, strict=True))
        session.say(between.join(titles))
    padded = [
        [text.ljust(width) if column.kind == "text" else text.rjust(width) for text in texts]
        for column, texts, width in zip(columns, cells, widths, strict=True)
    ]
    for row in zip(*padded, strict=True):
        session.say(between.join(row))


def _cells(column: Column, rows: Sequence[Row], units: str, *, suffix: bool) -> list[str]:
    value: Callable[[Row], str | int] = column.value
    if column.kind == "size":
        show = printer(units, suffix=suffix)
        return [show(int(value(row))) for row in rows]
    return [str(value(row)) for row in rows]
