"""One run of a command: what was asked, and what it says."""

from __future__ import annotations

from fake_backends.command_line import Invocation, Result
from fake_backends.lvm.backing import NotCommitted
from fake_backends.lvm.commands.arguments import Arguments
from fake_backends.lvm.commands.configuration import VisibleDevices
from fake_backends.lvm.commands.errors import OK, USAGE, Failed
from fake_backends.lvm.host import LvmHost
from fake_backends.lvm.volume_group import VolumeGroup
from harness.errors import StorageError


class Session:
    """The host, the options, and the two streams."""

    def __init__(self, host: LvmHost, invocation: Invocation, arguments: Arguments) -> None:
        self.host = host
        self.name = invocation.name
        self.environment = invocation.environment
        self.arguments = arguments
        self.devices = VisibleDevices(self)
        """The disks that the configuration lets this command see."""
        self._out: list[str] = []
        self._err: list[str] = []

    def say(self, line: str) -> None:
        """A line on the standard output, behind lvm2's margin."""
        self._out.append(f"  {line}\n")

    def warn(self, line: str) -> None:
        """A line on the standard error, behind lvm2's margin."""
        self._err.append(f"  {line}\n")

    def asks(self, question: str) -> bool:
        """Put a question. ``--yes`` answers it; otherwise nobody does, as the standard input is closed."""
        if self.arguments.has("yes"):
            return True
        self._err.append(f"{question} [y/n]: [n]\n")
        return False

    def usage(self, *lines: str) -> Failed:
        """The error of a command that cannot be meant as it stands."""
        return Failed(*lines, f"Run `{self.name} --help' for more information.", rc=USAGE)

    def result(self, rc: int = OK) -> Result:
        """What the process leaves behind."""
        return Result("".join(self._out), "".join(self._err), rc)

    def report(self, error: Failed | StorageError) -> None:
        """Say what went wrong."""
        for line in error.lines if isinstance(error, Failed) else (str(error),):
            self.warn(line)
        if isinstance(error, NotCommitted):
            self.warn(f"Failed to write VG {error.group}.")

    def group(self, name: str, *, writing: bool = False) -> VolumeGroup:
        """The volume group of that name. Failed if there is none that its disks allow to be seen or changed."""
        return self.devices.group(name, writing=writing)
