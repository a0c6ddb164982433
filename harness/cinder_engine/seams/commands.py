"""Programs that Cinder and os-brick start: Crucible's command lines on the machine of the running service.

`oslo_concurrency.processutils.execute` must be replaced before Cinder is imported, because many of its classes
take it as the default of an argument. Privileged calls stay in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oslo_concurrency import processutils

from fake_backends.command_line import Result, not_found, parse
from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage

Command = Callable[[list[str], str], Result]
"""(arguments, standard input) -> result, of one program on one machine."""


def install(patches: Patches, stage: Stage) -> None:
    """Replace the one function that starts processes."""

    def execute(*argv: Any, **options: Any) -> tuple[str, str]:
        words = [str(word) for word in argv]
        given = options.get("process_input") or ""
        text = given.decode() if isinstance(given, bytes) else given
        # os-brick asks for a program when it is imported, before any machine is there.
        programs = stage.cloud.commands(stage.hostname) if stage.cloud is not None else {}
        result = run(programs, words, text)
        accepted = options.get("check_exit_code", [0])
        if isinstance(accepted, bool):
            accepted = [0] if accepted else [result.rc]
        elif isinstance(accepted, int):
            accepted = [accepted]
        if result.rc not in accepted:
            raise processutils.ProcessExecutionError(
                exit_code=result.rc, stdout=result.stdout, stderr=result.stderr, cmd=" ".join(words)
            )
        return result.stdout, result.stderr

    patches.replace(processutils, "execute", execute)


def install_privileges(patches: Patches) -> None:
    """Privileged functions run in this process, as this user: there is nothing that root is needed for."""
    from cinder import privsep
    from os_brick import privileged

    patches.replace(privsep.sys_admin_pctxt, "client_mode", False)
    patches.replace(privileged.default, "client_mode", False)


def run(programs: Mapping[str, Command], argv: Sequence[str], given: str = "") -> Result:
    """Run a command line without its wrappers."""
    invocation = parse(argv)
    program = programs.get(invocation.name)
    if program is None:
        return not_found(invocation.name)
    return program(invocation.arguments, given)
