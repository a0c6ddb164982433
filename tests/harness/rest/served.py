"""A server in a process of its own, and the ordinary client, unmodified, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

START = "import sys; from harness.cli import main; sys.exit(main())"
ROOT = Path(__file__).parents[3]


class Served:
    """``crucible serve`` with these options, on a port that is free. Use it in a ``with``."""

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, "serve", "--port", "0", *options],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.said: list[str] = []
        self.environment: dict[str, str] = {}
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(line.strip())
            if line.strip().startswith("export "):
                name, _, value = line.strip().removeprefix("export ").partition("=")
                self.environment[name] = value
            elif line.startswith("admin"):
                break
        else:
            assert self._process.stderr is not None
            raise AssertionError(self._process.stderr.read())
        self.url = self.environment["CINDER_ENDPOINT"].removesuffix("/v3")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the server; its exit status."""
        self._process.send_signal(number)
        self._process.communicate()
        return self._process.returncode

    # ------------------------------------------------------------------------------------- the ordinary client

    def run(self, program: str, *words: str, user: str = "admin") -> subprocess.CompletedProcess[str]:
        """A command line of the client, in the environment that the server says at its start."""
        return subprocess.run(
            [str(Path(sys.executable).parent / program), *words],
            env={"PATH": os.environ["PATH"], "HOME": "/", **self.environment, "OS_USER_ID": user},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def cinder(self, *words: str, user: str = "admin") -> str:
        """What the client prints; it must not fail."""
        done = self.run("cinder", *words, user=user)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def show(self, volume: str, user: str = "admin") -> dict[str, str]:
        """``cinder show`` as a mapping of what its table says."""
        lines = self.cinder("show", volume, user=user).splitlines()
        cells = [[cell.strip() for cell in line.split("|")[1:3]] for line in lines if line.startswith("|")]
        return {name: value for name, value in cells if name != "Property"}

    # ---------------------------------------------------------------------------------------------- without it

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request as an administrator of the client's project; the decoded answer."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "X-Auth-Token": f"admin:{self.environment['OS_PROJECT_ID']}",
                "OpenStack-API-Version": "volume 3.71",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def pass_time(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        self.ask("POST", "/clock", {"advance_s": seconds})
