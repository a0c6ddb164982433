"""The small file commands that drivers run on what they have mounted. Source: coreutils 9.1, in the locale C.

A directory has 4096 bytes of its own, and no directories in it. Files have no owners: whoever asks is root.
What changes a file passes the point of its file system; what only looks passes ``host.<command>``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from getopt import GetoptError, gnu_getopt

from fake_backends.command_line import Result
from fake_backends.host.file_systems import BLOCK, FileSystem, Mount, Statistics
from fake_backends.host.paths import Host
from fake_backends.lvm.host import ENDLESS, close_device
from harness.errors import NotFound, StorageError

DIRECTORY_BYTES = BLOCK
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=][rwx]*)+)")
_BITS = {"r": 0o4, "w": 0o2, "x": 0o1}
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_UMASK = 0o022

Options = dict[str, str]


class _Failed(Exception):
    """The command ends with status 1; the text goes to the standard error, behind its name."""


class _Usage(_Failed):
    """The same, with a hint how to get help."""


class Coreutils:
    """chmod, chown, df, du, mkdir, rm, stat and truncate on one machine."""

    def __init__(self, host: Host) -> None:
        self.host = host
        # name -> (what it does, short options, long ones), as getopt wants them.
        self._commands: dict[str, tuple[Callable[[Options, list[str]], str], str, list[str]]] = {
            "chmod": (self._chmod, "", []),
            "chown": (self._chown, "", ["reference="]),
            "df": (self._df, "P", ["portability", "block-size="]),
            "du": (self._du, "sbB:", ["summarize", "bytes", "apparent-size", "block-size=", "exclude="]),
            "mkdir": (self._mkdir, "pm:", ["parents", "mode="]),
            "rm": (self._rm, "f", ["force"]),
            "stat": (self._stat, "fc:", ["file-system", "format="]),
            "truncate": (self._truncate, "s:", ["size="]),
        }

    @property
    def names(self) -> list[str]:
        """The commands that there are."""
        return list(self._commands)

    def execute(self, name: str, arguments: Sequence[str]) -> Result:
        """Run one of them. Status 1 and its messages for what it refuses."""
        command, short, long = self._commands[name]
        try:
            try:
                found, operands = gnu_getopt(list(arguments), short, long)
            except GetoptError as error:
                raise _Usage(_complaint(error)) from None
            options = {option.lstrip("-"): value for option, value in found}
            return Result(command(options, operands))
        except _Usage as failure:
            return Result(stderr=f"{name}: {failure}\nTry '{name} --help' for more information.\n", rc=1)
        except _Failed as failure:
            return Result(stderr=f"{name}: {failure}\n", rc=1)

    # ---------------------------------------------------------------------------------- changes of files

    def _truncate(self, options: Options, paths: list[str]) -> str:
        text = options.get("s", options.get("size"))
        if text is None:
            raise _Usage("you must specify either '--size' or '--reference'")
        if not paths:
            raise _Usage("missing file operand")
        size = _amount(text)
        if size is None:
            raise _Failed(f"Invalid number: '{text}'")
        for path in paths:
            if self.host.is_directory(path):
                raise _Failed(f"cannot open '{path}' for writing: Is a directory")
            self._attempt(f"cannot open '{path}' for writing", self.host.truncate, path, size)
        return ""

    def _chmod(self, options: Options, operands: list[str]) -> str:
        if len(operands) < 2:
            raise _Usage(f"missing operand after '{operands[0]}'" if operands else "missing operand")
        text, *paths = operands
        if _new_mode(text, 0) is None:
            raise _Usage(f"invalid mode: '{text}'")
        for path in paths:
            if self.host.is_directory(path):
                continue
            mode = _new_mode(text, self._mode(path))
            assert mode is not None
            self._attempt(f"changing permissions of '{path}'", self.host.chmod, path, mode)
        return ""

    def _mode(self, path: str) -> int:
        file = self.host.file(path)
        if file is None:
            raise _Failed(f"cannot access '{path}': No such file or directory")
        close_device(file)
        return file.mode

    def _chown(self, options: Options, operands: list[str]) -> str:
        """Whoever asks is root, so all that can go wrong is that there is no such file."""
        reference = options.get("reference")
        owners = 1 if reference is None else 0
        if len(operands) <= owners:
            raise _Usage(f"missing operand after '{operands[0]}'" if operands else "missing operand")
        if reference is not None and not self._exists(reference):
            raise _Failed(f"failed to get attributes of '{reference}': No such file or directory")
        for path in operands[owners:]:
            self._pass("chown", path)
            if not self._exists(path):
                raise _Failed(f"cannot access '{path}': No such file or directory")
        return ""

    def _rm(self, options: Options, paths: list[str]) -> str:
        forced = "f" in options or "force" in options
        if not paths and not forced:
            raise _Usage("missing operand")
        for path in paths:
            if self.host.is_directory(path):
                raise _Failed(f"cannot remove '{path}': Is a directory")
            if not self.host.exists(path) and not forced:
                raise _Failed(f"cannot remove '{path}': No such file or directory")
            self._attempt(f"cannot remove '{path}'", self._remove, path)
        return ""

    def _remove(self, path: str) -> None:
        try:
            self.host.unlink(path)
        except NotFound:
            return

    def _mkdir(self, options: Options, paths: list[str]) -> str:
        if not paths:
            raise _Usage("missing operand")
        parents = "p" in options or "parents" in options
        for path in paths:
            self._pass("mkdir", path)
            parent = path.rstrip("/").rpartition("/")[0]
            if self.host.exists(path) or (self.host.is_directory(path) and not parents):
                raise _Failed(f"cannot create directory '{path}': File exists")
            if not parents and parent and not self.host.is_directory(parent):
                raise _Failed(f"cannot create directory '{path}': No such file or directory")
            self.host.directories.add(path.rstrip("/"))
        return ""

    # --------------------------------------------------------------------------------------- questions

    def _stat(self, options: Options, paths: list[str]) -> str:
        if not paths:
            raise _Usage("missing operand")
        of_file_system = "f" in options or "file-system" in options
        format = options.get("c", options.get("format"))
        if format is None:
            raise _Failed("only stat -c FORMAT is known")
        lines = []
        for path in paths:
            self._pass("stat", path)
            if not self._exists(path):
                what = "read file system information for" if of_file_system else "statx"
                raise _Failed(f"cannot {what} '{path}': No such file or directory")
            values = self._of_file_system(path) if of_file_system else self._of_file(path)
            lines.append(re.sub("%(.)", lambda found: str(values.get(found[1], "?")), format))  # noqa: B023
        return "".join(f"{line}\n" for line in lines)

    def _of_file_system(self, path: str) -> dict[str, object]:
        total, available = (number // BLOCK for number in self._statistics(path))
        return {
            "S": BLOCK, "s": BLOCK, "b": total, "a": available, "f": available, "n": path, "%": "%",
        }  # fmt: skip

    def _of_file(self, path: str) -> dict[str, object]:
        size, allocated = self._sizes(path)
        directory = self.host.is_directory(path)
        mode = 0o755 if directory else self._mode(path)
        kind = "directory" if directory else f"regular{' empty' if not size else ''} file"
        return {
            "s": size, "b": allocated // 512, "B": 512, "a": f"{mode:o}", "F": kind, "n": path, "%": "%",
        }  # fmt: skip

    def _du(self, options: Options, paths: list[str]) -> str:
        """One line for each path: what is in it is only shown with ``-a``, which is not known."""
        bytes_wanted = "b" in options or "bytes" in options
        apparent = bytes_wanted or "apparent-size" in options
        text = options.get("B", options.get("block-size", "1" if bytes_wanted else "1K"))
        unit = _amount(text)
        if not unit:
            raise _Failed(f"invalid --block-size argument '{text}'")
        lines = []
        for path in paths or ["."]:
            self._pass("du", path)
            if not self._exists(path):
                raise _Failed(f"cannot access '{path}': No such file or directory")
            pattern = options.get("exclude", "")
            if not fnmatch(path, pattern):
                size = self._sizes(path, pattern)[0 if apparent else 1]
                lines.append(f"{-(-size // unit)}\t{path}\n")
        return "".join(lines)

    def _sizes(self, path: str, excluded: str = "") -> tuple[int, int]:
        """Bytes by length and by allocated blocks; of a directory, with the files in it."""
        if not self.host.is_directory(path):
            return self._sizes_of_file(path)
        names = [name for name in self.host.names(path) if not fnmatch(name, excluded)]
        files = [self._sizes_of_file(f"{path.rstrip('/')}/{name}") for name in names]
        length, allocated = (sum(sizes) for sizes in zip(*files, strict=True)) if files else (0, 0)
        return DIRECTORY_BYTES + length, DIRECTORY_BYTES + allocated

    def _sizes_of_file(self, path: str) -> tuple[int, int]:
        file = self.host.file(path)
        if file is None:
            return 0, 0
        sizes = file.size, file.allocated
        close_device(file)
        return sizes

    def _df(self, options: Options, paths: list[str]) -> str:
        """In the format of POSIX, and by ``--block-size``: other ones are not known."""
        portable = "P" in options or "portability" in options
        unit = _amount(options.get("block-size", "1K"))
        if not portable or not unit:
            raise _Failed("only df --portability is known")
        heading = "1-blocks" if unit == 1 else f"{unit}-blocks"
        rows = [["Filesystem", heading, "Used", "Available", "Capacity", "Mounted on"]]
        for path in paths or list(self.host.mounts):
            self._pass("df", path)
            if not self._exists(path):
                raise _Failed(f"{path}: No such file or directory")
            found = self._mount(path)
            total, available = self._statistics(path)
            used = total - available
            sizes = [str(-(-each // unit)) for each in (total, used, available)]
            source, point = (found.source, found.path) if found else ("/dev/vda", "/")
            rows.append([source, *sizes, f"{-(-used * 100 // total)}%", point])
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        widths[0] = max(widths[0], 14)
        widths[1:4] = [max(width, 5) for width in widths[1:4]]
        return "".join(
            " ".join([row[0].ljust(widths[0]), *(row[n].rjust(widths[n]) for n in range(1, 5)), row[5]]) + "\n"
            for row in rows
        )

    # ---------------------------------------------------------------------------------------- insides

    def _pass(self, command: str, path: str) -> None:
        """An error that strikes here is the command's own."""
        try:
            self.host.points.visit(f"host.{command}", f"{command} {path}")
        except StorageError as error:
            raise _Failed(f"{path}: {os.strerror(error.errno)}") from error

    @staticmethod
    def _attempt(what: str, change: Callable[..., None], *arguments: object) -> None:
        try:
            change(*arguments)
        except StorageError as error:
            raise _Failed(f"{what}: {os.strerror(error.errno)}") from error

    def _exists(self, path: str) -> bool:
        return self.host.exists(path) or self.host.is_directory(path)

    def _mount(self, path: str) -> Mount | None:
        """What is mounted over a path, if something is."""
        mounts = self.host.mounts
        return mounts.get(path.rstrip("/")) or mounts.get(path.rpartition("/")[0])

    def _statistics(self, path: str) -> Statistics:
        found = self._mount(path)
        file_system: FileSystem | None = found.file_system if found else None
        return Statistics(ENDLESS, ENDLESS) if file_system is None else file_system.statistics()


def _complaint(error: GetoptError) -> str:
    """What GNU's getopt says of an option."""
    if error.opt and len(error.opt) == 1:
        known = "requires argument" in error.msg
        return f"option requires an argument -- '{error.opt}'" if known else f"invalid option -- '{error.opt}'"
    if "requires argument" in error.msg:
        return f"option '--{error.opt}' requires an argument"
    return f"unrecognized option '--{error.opt}'"


def _amount(text: str) -> int | None:
    """``10G`` in bytes; None if it is none."""
    found = re.fullmatch(r"(\d*)([A-Z]*)", text)
    if not found or not text or found[2] not in _UNITS:
        return None
    return int(found[1] or 1) * _UNITS[found[2]]


def _new_mode(text: str, old: int) -> int | None:
    """What ``chmod MODE`` makes of the bits of a file; None if it is no mode."""
    if re.fullmatch("[0-7]{1,4}", text):
        return int(text, 8)
    mode = old
    for clause in text.split(","):
        found = _CLAUSE.fullmatch(clause)
        if found is None:
            return None
        allowed = 0o777 if found[1] else 0o777 & ~_UMASK
        who = "ugo" if not found[1] or "a" in found[1] else found[1]
        for change, letters in re.findall("([-+=])([rwx]*)", found[2]):
            bits = sum(_BITS[letter] for letter in set(letters))
            wanted = sum(bits << _SHIFTS[each] for each in set(who)) & allowed
            if change == "=":
                mode &= ~sum(0o7 << _SHIFTS[each] for each in set(who))
            mode = mode & ~wanted if change == "-" else mode | wanted
    return mode
