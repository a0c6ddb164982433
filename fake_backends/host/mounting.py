"""mount, umount and mount.nfs on one machine. Source: util-linux 2.38 and nfs-utils 2.6."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from getopt import GetoptError, gnu_getopt

from fake_backends.command_line import Result
from fake_backends.host.file_systems import FileSystem
from fake_backends.host.paths import Host
from harness.errors import NotFound, StorageError

FAILED = 32
_BAD_USAGE = "bad usage\nTry '{} --help' for more information."
_USAGE = """usage: mount.nfs remotetarget dir [-rvVwfnsh] [-o nfsoptions]
options:
	-r		Mount file system readonly
	-v		Verbose
	-V		Print version
	-w		Mount file system read-write
	-f		Fake mount, do not actually mount
	-n		Do not update /etc/mtab
	-s		Tolerate sloppy mount options rather than fail
	-h		Print this help
	nfsoptions	Refer to mount.nfs(8) or nfs(5)

"""


class Mounting:
    """The programs on `host`; `exports` are the NFS exports that it can reach, as ``address:/path``.

    A mount that is there already is refused, as the kernel refuses it. Each call that changes something passes
    the point ``host.mount`` or ``host.umount``.
    """

    def __init__(self, host: Host, exports: Mapping[str, FileSystem]) -> None:
        self.host = host
        self._exports = exports

    @property
    def programs(self) -> dict[str, Callable[[Sequence[str]], Result]]:
        """The programs by name."""
        return {"mount": self._mount, "umount": self._umount, "mount.nfs": self._mount_nfs}

    def _mount(self, arguments: Sequence[str]) -> Result:
        """``mount``, ``mount -l``, ``mount -t nfs [-o OPTIONS] SOURCE DIRECTORY``."""
        try:
            found, operands = gnu_getopt(list(arguments), "lt:o:rwv")
        except GetoptError as error:
            return _refused("mount", f"{error.msg.replace('option -', 'invalid option -- ')}", rc=1)
        options = dict(found)
        if not operands:
            return Result("".join(_line(each) for each in self._listed(options.get("-t"))))
        if len(operands) != 2:
            return _refused("mount", _BAD_USAGE.format("mount"), rc=1)
        type = options.get("-t", "auto")
        if type not in ("nfs", "nfs4"):
            return _refused("mount", f"{operands[1]}: unknown filesystem type '{type}'.")
        return self._mount_export(operands[0], operands[1], options.get("-o"))

    def _listed(self, type: str | None) -> list[tuple[str, str, str, str]]:
        return [each[:4] for each in self.host.mounts.values() if type in (None, each.type)]

    def _mount_nfs(self, arguments: Sequence[str]) -> Result:
        try:
            found, operands = gnu_getopt(list(arguments), "rvVwfnsho:t:")
        except GetoptError:
            operands = []
        if len(operands) < 2:
            return Result(_USAGE, "mount.nfs: no mount point provided\n", FAILED)
        return self._mount_export(operands[0], operands[1], dict(found).get("-o"))

    def _mount_export(self, export: str, path: str, options: str | None) -> Result:
        try:
            self.host.points.visit("host.mount", f"mount -t nfs {export} {path}")
        except StorageError as error:
            return _refused("mount.nfs", str(error))
        point = path.rstrip("/")
        if not self.host.is_directory(point):
            return _refused("mount.nfs", f"mount point {path} does not exist")
        if point in self.host.mounts:
            return _refused("mount.nfs", f"{path} is busy or already mounted")
        address, _, _ = export.partition(":/")
        if export not in self._exports:
            if not any(each.startswith(f"{address}:/") for each in self._exports):
                return _refused("mount.nfs", "Connection timed out")
            reason = "reason given by server: No such file or directory"
            return _refused("mount.nfs", f"mounting {export} failed, {reason}")
        said = ",".join(each for each in ("rw", options) if each)
        self.host.mount(point, self._exports[export], source=export, type="nfs", options=said)
        return Result()

    def _umount(self, arguments: Sequence[str]) -> Result:
        """``umount [-f] [-l] DIRECTORY``."""
        paths = [word for word in arguments if not word.startswith("-")]
        for path in paths:
            try:
                self.host.points.visit("host.umount", f"umount {path}")
                self.host.unmount(path)
            except NotFound:
                known = self.host.is_directory(path)
                return _refused("umount", f"{path}: {'not mounted' if known else 'no mount point specified'}.")
            except StorageError as error:
                return _refused("umount", f"{path}: {error}")
        return Result() if paths else _refused("umount", _BAD_USAGE.format("umount"), rc=1)


def proc_mounts(host: Host) -> str:
    """What is in ``/proc/mounts``: the root and what is mounted; blanks are written as ``\\040``."""
    lines = ["/dev/vda / ext4 rw,relatime 0 0\n"]
    for each in host.mounts.values():
        source, path = (text.replace(" ", "\\040") for text in (each.source, each.path))
        lines.append(f"{source} {path} {each.type} {each.options} 0 0\n")
    return "".join(lines)


def _line(mount: tuple[str, str, str, str]) -> str:
    source, path, type, options = mount
    return f"{source} on {path} type {type} ({options})\n"


def _refused(program: str, text: str, *, rc: int = FAILED) -> Result:
    return Result(stderr=f"{program}: {text}\n", rc=rc)
