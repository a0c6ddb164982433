"""``crucible serve``: the Block Storage API over the simulation, for the ordinary client."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.commands.options import Session
from harness.control_plane.nova_profiles import PROFILES, nova_profile
from harness.errors import InputError

DEFAULT_PORT = 8776
NEEDS = "starlette, uvicorn, jsonschema and jinja2"


@click.command("serve")
@options.config
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    metavar="PORT",
    help="0 for any that is free.",
)
@click.option(
    "--speed",
    type=str,
    default="real",
    show_default=True,
    metavar="SPEED",
    help="How virtual time passes: real, fast, stopped, or how many times as fast as real.",
)
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep storage and records there, and find them again.",
)
@click.option(
    "--nova", type=int, default=33, show_default=True, metavar="RELEASE", help="Release of Nova, 12 to 33."
)
@options.seed
@options.debug
@click.pass_obj
def serve(
    session: Session,
    *,
    configs: Sequence[Path],
    host: str,
    port: int,
    speed: str,
    state: Path | None,
    nova: int,
    seed: int,
) -> int:
    """Serve the Cinder v3 API, so that the ordinary cinder client works against the simulation.

    \b
    crucible serve --config cinder.conf --speed 100
    cinder migrate VOLUME node1@lvm-b#lvm-b

    A browser finds volumes, back-ends and running migrations at the same address.
    """
    try:
        from harness.rest.clock import read_speed
        from harness.rest.server import listen
        from harness.rest.session import open_session
    except ModuleNotFoundError as error:
        raise InputError(
            f"crucible serve needs {NEEDS} ({error.name} is missing); pip install 'cinder-crucible[serve]'"
        ) from error
    try:
        pace = read_speed(speed)
    except ValueError as error:
        raise InputError(f"--speed: {error}") from None
    deployment = session.engine().deployment(configs)
    with ExitStack() as stack:
        listener = stack.enter_context(listen(host, port))
        running = stack.enter_context(
            open_session(
                deployment,
                nova=PROFILES[nova_profile(nova)],
                seed=seed,
                speed=pace,
                state=state,
                now=datetime.now(UTC),
            )
        )
        running.serve(listener, lambda: _say(listener.getsockname(), state))
    return 0


def _say(address: tuple[Any, ...], state: Path | None) -> None:
    """Where it listens, and what to type so that a client finds it."""
    host, port = address[:2]
    endpoint = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    reach = "this machine only" if ip_address(host).is_loopback else "every machine that can reach this one"
    click.echo(f"listening on {endpoint}, for {reach}; the page for browsers is there, too")
    click.echo(f"state is kept in {state}" if state else "nothing is kept after the end; --state DIR keeps it")
    click.echo("\nfor the client, in another terminal:\n")
    for name, value in environment(endpoint).items():
        click.echo(f"    export {name}={value}")
    click.echo("\nadmin may do everything; OS_USER_ID=alice@member or alice@reader is somebody else")
    sys.stdout.flush()


def environment(endpoint: str) -> dict[str, str]:
    """What python-cinderclient 9 reads for ``noauth``."""
    return {
        "OS_AUTH_TYPE": "noauth",
        "OS_USER_ID": "admin",
        "OS_PROJECT_ID": "demo",
        "OS_VOLUME_API_VERSION": "3.71",
        "CINDER_ENDPOINT": f"{endpoint}/v3",
    }
