"""Programs that Cinder and os-brick start: Crucible's command lines on the machine of the running service.

`oslo_concurrency.processutils.execute` must be replaced before Cinder is imported, because many of its classes
take it as the default of an argument. Privileged calls stay in this process.
"""

from __future__ import annotations

from typing import Any

from oslo_concurrency import processutils

from fake_backends.command_line import not_found
from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage


def install(patches: Patches, stage: Stage) -> None:
    """Replace the one function that starts processes."""

    def execute(*argv: Any, **options: Any) -> tuple[str, str]:
        words = [str(word) for word in argv]
        given = options.get("process_input") or b""
        # os-brick asks for a program when it is imported, before any machine is there.
        if stage.cloud is None:
            result = not_found(words[0])
        else:
            data = given.encode() if isinstance(given, str) else given
            result = stage.cloud.machine(stage.hostname).execute(words, data)
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
