"""From an HTTP request to an operation and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.control_plane.deployment import Deployment
from tests.harness.rest.client import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A served deployment that nothing has been done to."""
    with Client(Deployment.default()) as made:
        yield made


def test_a_client_finds_the_versions(client: Client) -> None:
    """Without a token, and with whatever it accepts."""
    reply = client.send("GET", "/", {"host": "here:1", "accept": "*/*"})
    assert reply.code == 300
    assert reply.body["versions"][0]["version"] == "3.71"


def test_the_callers_project_may_have_any_name(client: Client) -> None:
    """Cinder itself wants hexadecimal digits in a URL."""
    assert client.ask("GET", "/volumes", project="demo").code == 200
    assert client.ask("GET", "/v3/demo/volumes", project="other").code == 404


def test_nobody_finds_the_versions_either_way(client: Client) -> None:
    """``/v3`` leads to ``/v3/``, which needs no token: openstacksdk asks without one."""
    assert client.send("GET", "/v3", {"host": "here:1"}).headers["location"] == "http://here:1/v3/"
    assert client.send("GET", "/v3/", {"host": "here:1"}).code == 200


def test_somebody_answers(client: Client) -> None:
    """/healthcheck and /openapi.json."""
    assert client.send("GET", "/healthcheck", {}).body == "OK"
    assert client.send("GET", "/openapi.json", {}).body["info"]["version"] == "3.71"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("application/json", "application/json"), ("text/html", "text/html"), ("*/*", "text/plain")],
)
def test_a_path_that_leads_nowhere_is_told_as_the_client_likes(client: Client, accept: str, kind: str) -> None:
    """By webob, before Cinder's own format begins."""
    reply = client.ask("GET", "/nothing", headers={"Accept": accept})
    assert reply.code == 404
    assert reply.headers["content-type"].startswith(kind)


def test_a_body_in_pieces_is_counted_too(client: Client) -> None:
    """No header says how large it is."""
    assert client.ask("POST", "/volumes", raw=b"[" * 200_000).code == 413


def test_deep_and_odd_bodies_are_refused(client: Client) -> None:
    """Never a failure of the server."""
    for raw in (b"[" * 50_000, b"\xff\xfe", b'"\\ud800"', b"null", b"NaN", b'{"volume": 1e999}'):
        assert client.ask("POST", "/volumes", raw=raw).code == 400, raw


def test_a_link_leads_where_the_request_came_from(client: Client) -> None:
    """The host that the client named, and the project if it was in the URL."""
    made = client.ask("POST", "/types", {"volume_type": {"name": "linked"}})
    assert made.code == 200
    reply = client.ask("POST", "/v3/volumes", {"volume": {"size": 1}}, headers={"Host": "cloud.example"})
    links = {link["rel"]: link["href"] for link in reply.body["volume"]["links"]}
    assert links["self"] == f"http://cloud.example/v3/volumes/{reply.body['volume']['id']}"


def test_roles_are_part_of_the_user(client: Client) -> None:
    """What is no role is part of the name."""
    for user, admin in (("alice@member", False), ("alice@admin", True), ("alice@example.org", True)):
        assert (client.ask("GET", "/os-services", user=user).code == 200) is admin


# --------------------------------------------------------------------------------------- clock and servers


def test_the_clock_moves_only_when_it_is_told(client: Client) -> None:
    """And says what time it is."""
    before = client.send("GET", "/clock", {}).body
    assert before["speed"] == "stopped"
    after = client.send("POST", "/clock", {}, b'{"advance_s": 2.5}').body
    assert after["virtual_s"] - before["virtual_s"] == pytest.approx(2.5, abs=0.01)


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("PUT", b'{"speed": "warp"}'),
        ("PUT", b'{"speed": -1}'),
        ("PUT", b'{"pace": 1}'),
        ("POST", b'{"advance_s": -5}'),
        ("POST", b'{"advance_s": "long"}'),
        ("POST", b"nothing"),
    ],
)
def test_a_clock_that_cannot_be_set_so_says_why(client: Client, method: str, body: bytes) -> None:
    """400, in one line."""
    reply = client.send(method, "/clock", {}, body)
    assert reply.code == 400
    assert "\n" not in reply.body["error"]


def test_servers_attach_and_detach(client: Client) -> None:
    """The volume's status follows; what cannot be is refused in the API's format."""
    volume = client.ask("POST", "/volumes", {"volume": {"size": 1}}).body["volume"]["id"]
    client.pass_time(5)
    assert client.send("PUT", f"/servers/web/volumes/{volume}", {}).body["server"]["volumes"] == [volume]
    assert client.ask("GET", f"/volumes/{volume}").body["volume"]["status"] == "in-use"
    refused = client.send("PUT", f"/servers/other/volumes/{volume}", {})
    assert refused.code == 400
    assert "must be available" in refused.body["badRequest"]["message"]
    assert client.send("DELETE", f"/servers/web/volumes/{volume}", {}).body["server"]["volumes"] == []
    assert client.ask("GET", f"/volumes/{volume}").body["volume"]["status"] == "available"
    assert client.send("DELETE", f"/servers/web/volumes/{volume}", {}).code == 404


def test_the_page_is_for_those_who_want_html(client: Client) -> None:
    """And loads nothing from elsewhere, nor any script that stands in it."""
    reply = client.send("GET", "/", {"accept": "text/html,*/*"})
    assert reply.code == 200
    assert "<h1>Crucible" in reply.body
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert client.send("GET", "/ui/page.js", {}).headers["content-type"].startswith("text/javascript")
    assert client.send("GET", "/ui/secret", {}).code == 404
