"""``rbd du``: what an image and its snapshots store, in whole objects."""

from __future__ import annotations

from typing import Any


def rows(image: Any) -> list[dict[str, Any]]:
    """What each snapshot of an open image added to those before it, and the image to the last one."""
    found: list[dict[str, Any]] = []
    older: str | None = None
    for snapshot in [*(each for each in image.list_snaps() if each["namespace"] == 0), None]:
        image.set_snap(snapshot["name"] if snapshot else None)
        row: dict[str, Any] = {"name": image.get_name(), "id": image.id()}
        if snapshot:
            row |= {"snapshot": snapshot["name"], "snapshot_id": snapshot["id"]}
        found.append({**row, "provisioned_size": image.size(), "used_size": _used_since(image, older)})
        older = snapshot["name"] if snapshot else None
    return found


def table(rows: list[dict[str, Any]], provisioned: int, used: int) -> str:
    """Name, provisioned and used size in columns, and the sums if there is more than one row."""
    cells = [(_name(row), _bytes(row["provisioned_size"]), _bytes(row["used_size"])) for row in rows]
    if len(cells) > 1:
        cells.append(("<TOTAL>", _bytes(provisioned), _bytes(used)))
    head = ("NAME", "PROVISIONED", "USED")
    first, second, third = (max(len(row[column]) for row in [head, *cells]) for column in range(3))
    lines = [f"{head[0]:<{first}}  {head[1]:<{second}}  {head[2]:<{third}}"]
    lines += [f"{name:<{first}}  {one:>{second}}  {other:>{third}}" for name, one, other in cells]
    return "\n".join(lines) + "\n"


def _used_since(image: Any, older: str | None) -> int:
    used: list[int] = []
    if image.size():
        image.diff_iterate(
            0, image.size(), older, lambda _, length, exists: used.append(length * exists), True, True
        )
    return sum(used)


def _name(row: dict[str, Any]) -> str:
    return f"{row['name']}@{row['snapshot']}" if "snapshot" in row else str(row["name"])


def _bytes(number: int) -> str:
    """As Ceph writes bytes: up to two decimals, as far as seven characters go."""
    power = 0
    while number >> 10 * (power + 1) and power < 6:
        power += 1
    unit = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")[power]
    if number % (1 << 10 * power) == 0:
        return f"{number >> 10 * power} {unit}"
    texts = [f"{number / (1 << 10 * power):.{decimals}f} {unit}" for decimals in (2, 1, 0)]
    return next((text for text in texts if len(text) <= 7), texts[-1])
