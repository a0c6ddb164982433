"""All commands of one host: ``execute(argv, stdin)`` as a process would be run.

lvm2's commands, dd, blockdev and udevadm are in `fake_backends.lvm.commands`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from fake_backends.command_line import Result, parse
from fake_backends.host.ceph_tools import CephTools
from fake_backends.host.coreutils import Coreutils
from fake_backends.host.cryptsetup import Cryptsetup
from fake_backends.host.file_systems import FileSystem
from fake_backends.host.mounting import Mounting
from fake_backends.host.paths import Host
from fake_backends.host.qemu_img import QemuImg
from fake_backends.host.rtstool import Rtstool
from fake_backends.lvm import commands as lvm
from fake_backends.rbd.bindings import Modules
from fake_backends.targets import TargetPortal

Program = Callable[[Sequence[str], bytes], Result]
"""(arguments, standard input) -> result, as one process of a program."""


class HostCommands:
    """What can be run on `host`; cinder-rtstool only with a portal, rbd and ceph only with `bindings`.

    `others` are further programs by name, `exports` the NFS exports that can be mounted.
    """

    def __init__(
        self,
        host: Host,
        portal: TargetPortal | None = None,
        others: Mapping[str, Program] | None = None,
        bindings: Modules | None = None,
        exports: Mapping[str, FileSystem] = MappingProxyType({}),
    ) -> None:
        self.host = host
        coreutils = Coreutils(host)
        self._programs: dict[str, Program] = {
            "cryptsetup": Cryptsetup(host).execute,
            "ln": self._ln,
            "qemu-img": _without_input(QemuImg(host).execute),
            **{name: _without_input(partial(coreutils.execute, name)) for name in coreutils.names},
            **{name: _without_input(run) for name, run in Mounting(host, exports).programs.items()},
            **(others or {}),
        }
        if bindings is not None:
            self.install_ceph(bindings)
        if portal is not None:
            self._programs["cinder-rtstool"] = _without_input(Rtstool(host, portal).execute)

    def execute(self, argv: Sequence[object], stdin: str | bytes = b"") -> Result:
        """Run a command line, whatever wrappers stand before it; 127 for a program that is not there."""
        invocation = parse([str(word) for word in argv])
        program = self._programs.get(invocation.name)
        if program is None:
            return lvm.execute(self.host, [str(word) for word in argv])
        return program(invocation.arguments, stdin.encode() if isinstance(stdin, str) else stdin)

    def install(self, name: str, program: Program) -> None:
        """Have one more program, or another one of that name."""
        self._programs[name] = program

    def install_ceph(self, bindings: Modules) -> None:
        """rbd and ceph, and images of Ceph for qemu-img, by the bindings of this process."""
        tools = CephTools(self.host, bindings)
        self._programs |= {
            "rbd": tools.rbd,
            "ceph": _without_input(tools.ceph),
            "qemu-img": _without_input(QemuImg(self.host, bindings).execute),
        }

    def _ln(self, arguments: Sequence[str], _: bytes) -> Result:
        """``ln --symbolic --force TARGET LINK``, as os-brick's encryptors lead a device's path elsewhere."""
        options = {word for word in arguments if word.startswith("-")}
        names = [word for word in arguments if not word.startswith("-")]
        if options != {"--symbolic", "--force"} or len(names) != 2:
            return Result(
                "", f"ln: only --symbolic --force TARGET LINK is known, not {' '.join(arguments)}\n", 1
            )
        self.host.link(names[1], names[0])
        return Result()


def _without_input(execute: Callable[[Sequence[str]], Result]) -> Program:
    return lambda arguments, _: execute(arguments)
