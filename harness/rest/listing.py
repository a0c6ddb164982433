"""Lists in pages: the order, where a page begins and ends, and the link to the next one.

Source: `cinder.api.common:get_pagination_params`, `get_sort_params` and `ViewBuilder._get_collection_links`,
`cinder.db.api:process_sort_params`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cmp_to_key
from typing import Any
from urllib.parse import urlencode

from harness import errors
from harness.rest.faults import Fault
from harness.rest.filters import Row
from harness.rest.requests import Request
from harness.rest.schemas import DB_INT_MAX

LIMIT_MAX = 1000
"""`osapi_max_limit`."""


def limit_of(request: Request) -> int:
    """How many items the caller wants at most. Fault 400."""
    try:
        limit = int(request.query.get("limit", LIMIT_MAX))
    except ValueError:
        raise Fault(400, "limit param must be an integer") from None
    if limit < 0:
        raise Fault(400, "limit param must be positive")
    return min(limit, LIMIT_MAX)


def offset_of(request: Request) -> int:
    """How many items to skip. Fault 400."""
    value = request.query.get("offset", "0")
    try:
        offset = int(value)
    except ValueError:
        raise Fault(400, "offset must be an integer") from None
    if offset < 0:
        raise Fault(400, "offset must be >= 0")
    if offset > DB_INT_MAX:
        raise Fault(400, f"offset must be <= {DB_INT_MAX}")
    return offset


def order_of(request: Request, default: str = "created_at") -> list[tuple[str, bool]]:
    """(field, descending) pairs, complete enough to tell any two rows apart. Fault 400."""
    query = request.query
    if "sort" in query and ("sort_key" in query or "sort_dir" in query):
        raise Fault(
            400,
            "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with the 'sort' "
            "parameter.",
        )
    pairs = (
        [part.partition(":")[::2] for part in query["sort"].strip().split(",")]
        if "sort" in query
        else [(query.get("sort_key", default), query.get("sort_dir", "desc"))]
    )
    order = []
    for name, direction in pairs:
        direction = direction.strip() or "desc"
        if direction not in ("asc", "desc"):
            raise errors.InvalidInput(reason="Unknown sort direction, must be 'desc' or 'asc'.")
        order.append((name.strip(), direction == "desc"))
    named = {name for name, _ in order}
    return order + [(name, order[0][1]) for name in ("created_at", "id") if name not in named]


def page(
    request: Request,
    rows: Iterable[Row],
    absent: Callable[[str], Exception],
    *,
    fields: Iterable[str],
) -> list[Row]:
    """The rows of one page, in order. `absent` makes the error for a marker that is no row.

    `fields` can be sorted by; InvalidInput for any other.
    """
    order = order_of(request)
    for position, (name, descending) in enumerate(order):
        name = "display_name" if name == "name" and "display_name" in fields else name
        if name not in fields:
            raise errors.InvalidInput(reason="Invalid sort key")
        order[position] = (name, descending)
    limit, offset = limit_of(request), offset_of(request)
    ordered = _sorted(list(rows), order)
    marker = request.query.get("marker")
    if marker is not None:
        places = (place for place, row in enumerate(ordered) if row["id"] == marker)
        place = next(places, None)
        if place is None:
            raise absent(marker)
        ordered = ordered[place + 1 :]
    return ordered[offset : offset + limit]


def _sorted(rows: list[Row], order: Sequence[tuple[str, bool]]) -> list[Row]:
    """Nothing comes before everything, as in SQL."""
    if len({descending for _, descending in order}) == 1:
        names = [name for name, _ in order]
        rows.sort(key=lambda row: [_comparable(row.get(name)) for name in names], reverse=order[0][1])
        return rows

    def compare(one: Row, other: Row) -> int:
        for name, descending in order:
            left, right = _comparable(one.get(name)), _comparable(other.get(name))
            if left != right:
                return (1 if left > right else -1) * (-1 if descending else 1)
        return 0

    rows.sort(key=cmp_to_key(compare))
    return rows


def _comparable(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is None or isinstance(value, (int, float)) else str(value))


def paged(
    request: Request,
    rows: Sequence[Row],
    absent: Callable[[str], Exception],
    *,
    fields: Iterable[str],
    name: str,
    path: str,
    view: Callable[[Row], Any],
) -> dict[str, Any]:
    """A whole answer: the views of one page under `name`, the link to the next page, the count if wanted."""
    shown = page(request, rows, absent, fields=fields)
    answer: dict[str, Any] = {name: [view(row) for row in shown]}
    total = len(rows) if request.since(45) and request.flag("with_count") else None
    link_next(request, answer, f"{name}_links", shown, path, total=total)
    if total is not None:
        answer["count"] = total
    return answer


def link_next(
    request: Request,
    answer: dict[str, Any],
    name: str,
    shown: Sequence[Row],
    collection: str,
    *,
    total: int | None = None,
) -> None:
    """Put the link to the next page into `answer`, under `name`, if what is `shown` may not be the last one."""
    if not shown or limit_of(request) > (total or len(shown)):
        return
    query = urlencode({**request.query, "marker": shown[-1]["id"]})
    href = f"{request.host}/v3{request.project_in_url}/{collection}?{query}"
    answer[name] = [{"rel": "next", "href": href}]
