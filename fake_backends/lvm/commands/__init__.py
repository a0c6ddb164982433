"""The command line of lvm2, and of dd, blockdev and udevadm, on a simulated host.

`execute` takes what Cinder executes, wrappers and all, and answers as the real tools do: both streams and the
exit status, byte for byte as recorded from lvm2 2.03.16. Whatever is not simulated fails, with what was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fake_backends.command_line import Invocation, Result, not_found, parse
from fake_backends.lvm.commands import arguments, change, create, dd, devices, display, groups, reports
from fake_backends.lvm.commands.arguments import ArgumentError
from fake_backends.lvm.commands.errors import FAILED, OK, USAGE, Failed
from fake_backends.lvm.commands.session import Session
from fake_backends.lvm.commands.thin_check import complaints, pool_states
from fake_backends.lvm.commands.version import VERSION
from fake_backends.lvm.host import LvmHost
from harness.errors import StorageError

LVM_COMMANDS: Mapping[str, Callable[[Session], None]] = {
    "lvchange": change.lvchange,
    "lvconvert": change.lvconvert,
    "lvcreate": create.lvcreate,
    "lvdisplay": display.lvdisplay,
    "lvextend": change.lvextend,
    "lvremove": change.lvremove,
    "lvrename": change.lvrename,
    "lvs": reports.lvs,
    "pvcreate": groups.pvcreate,
    "pvdisplay": display.pvdisplay,
    "pvresize": groups.pvresize,
    "pvs": reports.pvs,
    "vgchange": groups.vgchange,
    "vgck": groups.vgck,
    "vgcreate": groups.vgcreate,
    "vgdisplay": display.vgdisplay,
    "vgremove": groups.vgremove,
    "vgs": reports.vgs,
}
OTHER_COMMANDS: Mapping[str, Callable[[LvmHost, list[str]], Result]] = {
    "blockdev": devices.blockdev,
    "dd": dd.dd,
    "udevadm": devices.udevadm,
}


def execute(host: LvmHost, argv: Sequence[str]) -> Result:
    """Run a command line on a host."""
    invocation = parse(argv)
    if invocation.name in OTHER_COMMANDS:
        return OTHER_COMMANDS[invocation.name](host, invocation.arguments)
    if invocation.name == "lvm":
        return _lvm(host, invocation)
    if invocation.name in LVM_COMMANDS:
        return _lvm_command(host, invocation)
    return not_found(invocation.name)


def _lvm(host: LvmHost, invocation: Invocation) -> Result:
    """``lvm version``, or any command as ``lvm lvs ...``."""
    words = invocation.arguments
    if not words or words[0].startswith("-"):
        return Result(stderr="  Specify options after a command: lvm [command] [options].\n", rc=USAGE)
    if words[0] == "version":
        return Result(VERSION)
    if words[0] not in LVM_COMMANDS:
        return Result(stderr="  No such command.  Try 'lvm help'.\n", rc=2)
    return _lvm_command(host, Invocation(words[0], words[1:], invocation.environment))


def _lvm_command(host: LvmHost, invocation: Invocation) -> Result:
    try:
        options = arguments.read(invocation.name, invocation.arguments)
    except ArgumentError as error:
        return Result(stderr=str(error), rc=USAGE)
    if options.has("version"):
        return Result(VERSION)
    session = Session(host, invocation, options)
    before = pool_states(host)
    rc = OK
    try:
        LVM_COMMANDS[invocation.name](session)
    except (Failed, StorageError) as error:
        session.report(error)
        rc = error.rc if isinstance(error, Failed) else FAILED
    for line in complaints(before, pool_states(host)):
        session.warn(line)
    return session.result(rc)
