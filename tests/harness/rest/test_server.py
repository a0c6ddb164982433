"""The process: how it starts, where it listens, and what is left when it is killed."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.rest.server import listen
from tests.harness.rest.served import ROOT, START, Served


def _refused(*options: str) -> str:
    """The one line that a server which cannot start leaves; its exit status is 2."""
    done = subprocess.run(
        [sys.executable, "-c", START, "serve", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


def test_it_says_where_it_listens_and_what_the_client_needs() -> None:
    """Loopback unless told otherwise; it ends when it is told to."""
    with Served() as served:
        assert served.said[0].startswith(f"listening on {served.url}, for this machine only")
        assert set(served.environment) == {
            "OS_AUTH_TYPE", "OS_USER_ID", "OS_PROJECT_ID", "OS_VOLUME_API_VERSION", "CINDER_ENDPOINT"
        }  # fmt: skip
        assert served.stop() == 0


def test_a_killed_server_loses_no_acknowledged_change(tmp_path: Path) -> None:
    """Whatever was answered is there again, also what was changed a moment before the end."""
    acknowledged = {}
    with Served("--state", str(tmp_path), "--speed", "fast") as served:
        for number in range(9):
            body = {"volume": {"size": 1, "name": f"volume {number}"}}
            made = served.ask("POST", "/v3/demo/volumes", body)["volume"]["id"]
            acknowledged[made] = f"volume {number}"
            if number % 3 == 2:
                acknowledged[made] = f"renamed {number}"
                served.ask("PUT", f"/v3/demo/volumes/{made}", {"volume": {"name": acknowledged[made]}})
        served.stop(signal.SIGKILL)
    with Served("--state", str(tmp_path), "--speed", "fast") as served:
        volumes = served.ask("GET", "/v3/demo/volumes")["volumes"]
        assert {volume["id"]: volume["name"] for volume in volumes} == acknowledged


def test_a_port_in_use_is_one_line() -> None:
    """Exit status 2."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        line = _refused("--port", str(port))
    assert line == f"crucible: 127.0.0.1:{port}: cannot listen: the port is in use; give another --port"


def test_an_address_that_is_nobodys_is_one_line() -> None:
    """What is wrong, and what would be right."""
    with pytest.raises(InputError, match="give another --host"):
        listen("203.0.113.1", 0)


def test_a_state_directory_of_others_is_one_line(tmp_path: Path) -> None:
    """And nothing in it is touched."""
    (tmp_path / "mine").write_text("x")
    assert "is not empty, and no storage directory of crucible" in _refused("--state", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_state_directory_is_used_by_one_server(tmp_path: Path) -> None:
    """The second is told who has it."""
    with Served("--state", str(tmp_path)):
        assert "is in use by process" in _refused("--state", str(tmp_path), "--port", "0")


def test_a_speed_that_is_none_is_one_line() -> None:
    """With the words that would be right."""
    assert "give real, fast, stopped, or a number" in _refused("--speed", "warp")
