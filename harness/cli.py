"""``crucible``: the command line, and the one place that turns what went wrong into an exit status.

0 all as expected, 1 something differs, 2 bad usage or input, 3 a defect of Crucible, 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module

import click

import harness
from harness.commands.engine import Engine, open_engine
from harness.commands.options import Session
from harness.errors import InputError
from reports.printable import printable

USAGE, DEFECT, INTERRUPTED, BROKEN_PIPE = 2, 3, 130, 141


COMMANDS = {
    "matrix": "matrix",
    "reproduce": "reproduce",
    "plan": "plan",
    "certify": "certify",
    "verify": "verify",
    "support-matrix": "support_matrix",
    "interface": "interface",
    "interface-changes": "interface_changes",
    "compare": "compare",
    "releases": "releases",
    "list": "listing",
    "storage": "storage",
    "serve": "serve",
}
"""The modules in `harness.commands`, and the functions in them, in the order of their use."""


class Commands(click.Group):
    """Imports a command when it is asked for: none should wait for what only others need."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"harness.commands.{name}"), name)
        return command


@click.group(
    cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(harness.__version__, prog_name="crucible", message="%(prog)s %(version)s")
@click.pass_context
def crucible(context: click.Context) -> None:
    """Move block-storage volumes between back-ends, under a simulated Cinder, and judge what happened.

    \b
    crucible matrix                         the whole migration matrix
    crucible matrix --config cinder.conf    the same on your own deployment
    crucible reproduce lvm-to-rbd-in-use    one migration, step by step
    crucible plan --help                    a migration of your own, before you do it
    crucible certify my_pkg.driver:MyDriver  hold a driver to the laws of Cinder's driver contract
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None, *, engines: Callable[[str], Engine] = open_engine) -> int:
    """Run ``crucible`` with these arguments (default: those of the process); the exit status is returned."""
    session = Session(engines)
    _forgive_encodings()
    try:
        # Not `crucible.main`: it turns a broken pipe into status 1, which here means that something differs.
        arguments = sys.argv[1:] if arguments is None else arguments
        with crucible.make_context("crucible", list(arguments), obj=session) as context:
            status = crucible.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as leave:  # after --help and --version
        return leave.exit_code
    except click.UsageError as error:
        command_path = error.ctx.command_path if error.ctx else "crucible"
        return _complain(f"{error.format_message().rstrip('.')} (see {command_path} --help)", USAGE)
    except click.ClickException as error:
        return _complain(error.format_message(), USAGE)
    except InputError as error:
        return _complain(str(error), USAGE)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader has seen enough. What is left in the buffer must not be flushed into the broken pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 (the last resort, and it is reported)
        if session.debug:
            traceback.print_exc()
        else:
            hint = "please report it with the command line and what --debug adds"
            return _complain(f"defect of crucible: {type(error).__name__}: {error} ({hint})", DEFECT)
        return DEFECT
    return status if isinstance(status, int) else 0


def _complain(what: str, status: int) -> int:
    """One line, whatever the message holds."""
    print(f"crucible: {printable(' '.join(what.split()))}", file=sys.stderr)
    return status


def _forgive_encodings() -> None:
    """A terminal that cannot show a character gets its escape, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
