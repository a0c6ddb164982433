"""Pages, orders and filters of lists."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.control_plane.deployment import Deployment
from tests.harness.rest.client import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Six volumes of three sizes, made one second after the other."""
    with Client(Deployment.default()) as made:
        for number in range(6):
            body = {"volume": {"size": 1 + number % 3, "name": f"v{number}", "metadata": {"n": str(number)}}}
            assert made.ask("POST", "/volumes", body).code == 202
            made.pass_time(1)
        yield made


def _names(client: Client, query: str, version: str = "3.71") -> list[str]:
    reply = client.ask("GET", f"/volumes?{query}", version=version)
    assert reply.code == 200, reply
    return [volume["name"] for volume in reply.body["volumes"]]


def test_the_newest_comes_first(client: Client) -> None:
    """created_at, descending, is the order unless another is wanted."""
    assert _names(client, "") == ["v5", "v4", "v3", "v2", "v1", "v0"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sort=name:asc", ["v0", "v1", "v2", "v3", "v4", "v5"]),
        ("sort=size:asc,name:desc", ["v3", "v0", "v4", "v1", "v5", "v2"]),
        ("sort_key=size&sort_dir=desc", ["v5", "v2", "v4", "v1", "v3", "v0"]),
    ],
)
def test_the_order_may_be_chosen(client: Client, query: str, names: list[str]) -> None:
    """By several fields, each in its direction."""
    assert _names(client, query) == names


def test_pages_follow_their_links(client: Client) -> None:
    """Following the next link shows everything once, and ends."""
    seen, path = [], "/volumes?limit=4"
    while path:
        reply = client.ask("GET", path)
        seen += [volume["name"] for volume in reply.body["volumes"]]
        links = {link["rel"]: link["href"] for link in reply.body.get("volumes_links", ())}
        path = links.get("next", "").removeprefix("http://127.0.0.1:8776")
    assert seen == ["v5", "v4", "v3", "v2", "v1", "v0"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("size=3", ["v5", "v2"]),
        ("status=available&size=1", ["v3", "v0"]),
        ("name~=v", ["v5", "v4", "v3", "v2", "v1", "v0"]),
        ("metadata={'n': '4'}", ["v4"]),
        ("metadata=text", []),
        ("bootable=true", []),
        ("host=node1@nowhere", []),
        ("created_at=gt:2026-01-01T00:00:04", ["v5", "v4"]),
        ("created_at=lt:2026-01-01T00:00:01Z", ["v0"]),
        ("status=['available','error']&limit=1", ["v5"]),
        ("offset=4", ["v1", "v0"]),
    ],
)
def test_filters_leave_what_they_say(client: Client, query: str, names: list[str]) -> None:
    """Exact ones, parts of names, metadata, times, several values."""
    assert _names(client, query) == names


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("created_at=after:2026-01-01", "Invalid after operator"),
        ("created_at=gt:tomorrow", "Invalid tomorrow value"),
        ("bootable=perhaps", "bootable=perhaps"),
        ("offset=many", "offset must be an integer"),
        ("all_tenants=perhaps", "all_tenants"),
    ],
)
def test_what_no_filter_can_be_is_refused(client: Client, query: str, said: str) -> None:
    """400, with the value."""
    reply = client.ask("GET", f"/volumes?{query}")
    assert reply.code == 400
    assert said in reply.body["badRequest"]["message"]


def test_old_microversions_ignore_what_they_do_not_know(client: Client) -> None:
    """Filters of later microversions are as if nobody had sent them."""
    assert len(_names(client, "created_at=gt:2026-01-01T00:00:04&glance_metadata=x", version="3.3")) == 6
    assert len(_names(client, "bootable=perhaps", version="3.1")) == 0


def test_a_count_comes_along(client: Client) -> None:
    """Of all that match, whatever the page."""
    reply = client.ask("GET", "/volumes?with_count=true&limit=2&size=1")
    assert (reply.body["count"], len(reply.body["volumes"])) == (2, 2)
