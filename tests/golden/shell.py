"""A shell just large enough for the probes in the LVM transcripts, over devices and files of a simulated host.

Pipes, ``;``, ``&&``, redirections, and the few tools that the recorder used to look at devices or to put file
systems on them. Tools write what matters here: the signatures that lvm2 finds. What is not known ends the run.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Sequence

from fake_backends.block_store import BlockDevice, MemoryFile
from fake_backends.command_line import Result
from fake_backends.host.paths import Host
from fake_backends.lvm.commands import execute
from fake_backends.lvm.host import ENDLESS, close_device
from fake_backends.lvm.logical_volume import OpenVolume
from harness.errors import NotFound

PIPE_MAX = 64 << 20
"""What is taken from an endless device that is piped."""
DATE = "Nov 23 09:01"
MKFS_EXT4 = {1080: b"\x53\xef", 1024 + 0x5C: b"\x04\0\0\0\xc0\x02\0\0"}
SIGNATURES: dict[str, dict[int, bytes]] = {
    "mkfs.ext4": MKFS_EXT4,
    "mkswap": {4086: b"SWAPSPACE2"},
    "luks1": {0: b"LUKS\xba\xbe\0\1"},
    "luks2": {0: b"LUKS\xba\xbe\0\2", 16384: b"SKUL\xba\xbe\0\2"},
    "dos": {450: b"\x83", 510: b"\x55\xaa"},
    "gpt": {450: b"\xee", 510: b"\x55\xaa", 512: b"EFI PART", -512: b"EFI PART"},
}


class Unknown(Exception):
    """The shell does not know a tool or a form."""


class Shell:
    """Runs command lines on a host. `mounted` are the devices with a file system in use."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.mounted: dict[str, BlockDevice] = {}
        self._err = ""

    def run(self, script: str) -> Result:
        """What ``sh -c script`` answers. Unknown for what it cannot do."""
        self._err = ""
        out, rc = b"", 0
        for joint, command in _commands(script):
            if joint == "&&" and rc:
                continue
            data = b""
            for part in command:
                data, rc = self._simple(part, data)
            out += data
        return Result(out.decode(errors="replace"), self._err, rc)

    def _simple(self, words: Sequence[str], stdin: bytes) -> tuple[bytes, int]:
        words = list(words)
        target, silent = "", False
        plain: list[str] = []
        while words:
            word = words.pop(0)
            if word == "<":
                stdin = self._read(words.pop(0))
            elif word == ">":
                target = words.pop(0)
            elif word == "2>":
                silent = words.pop(0) == "/dev/null"
            else:
                plain.append(word)
        before = self._err
        if plain[0] not in TOOLS:
            raise Unknown(plain[0])
        data, rc = TOOLS[plain[0]](self, plain[1:], stdin)
        if silent:
            self._err = before
        if target:
            if target != "/dev/null":
                self._write_file(target, data)
            data = b""
        return data, rc

    def _read(self, path: str, length: int | None = None) -> bytes:
        device = self.host.open(path)
        try:
            whole = PIPE_MAX if device.size == ENDLESS else device.size
            return device.read(0, whole if length is None else length)
        finally:
            close_device(device)

    def _write_file(self, path: str, data: bytes) -> None:
        made = self.host.files[path] = MemoryFile(len(data))
        made.write(0, data)

    def _sign(self, kind: str, path: str) -> None:
        device = self.host.open(path)
        for offset, magic in SIGNATURES[kind].items():
            device.write(offset % device.size, magic)
        close_device(device)

    # --------------------------------------------------------------------------------------- the tools

    def _dd(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        piped = not any(word.startswith("of=") for word in words)
        if not any(word.startswith("if=") for word in words):
            self.host.files["/proc/pipe-in"] = MemoryFile(len(stdin))
            self.host.files["/proc/pipe-in"].write(0, stdin)
            words = [*words, "if=/proc/pipe-in"]
        result = execute(self.host, ["dd", *words, *(["of=/proc/pipe"] if piped else [])])
        self.host.files.pop("/proc/pipe-in", None)
        self._err += result.stderr
        data = b""
        if piped and (pipe := self.host.files.pop("/proc/pipe", None)):
            data = pipe.read(0, pipe.size)
        return data, result.rc

    def _md5sum(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        data = self._read(words[0]) if words else stdin
        return f"{hashlib.md5(data).hexdigest()}  {words[0] if words else '-'}\n".encode(), 0

    def _wc(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        return f"{len(stdin)}\n".encode(), 0

    def _tr(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        letters = [word.replace("\\000", "\0").encode() for word in words if word != "-d"]
        if words[0] == "-d":
            return stdin.replace(letters[0], b""), 0
        return stdin.replace(letters[0], letters[1]), 0

    def _cmp(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        length = int(words[1])
        return b"", int(self._read(words[2], length) != self._read(words[3], length))

    def _echo(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        return " ".join(words).encode() + b"\n", 0

    def _printf(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        return words[0].replace("\\n", "\n").encode(), 0

    def _head(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        if words[:1] == ["-c"]:
            return self._read(words[2], int(words[1])), 0
        count = int(words[0][1:]) if words else 10
        return b"".join(stdin.splitlines(keepends=True)[:count]), 0

    def _hexdump(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        data = stdin
        if words[-1].startswith("/"):
            try:
                data = self._read(words[-1], int(words[words.index("-n") + 1]))
            except NotFound as error:
                self._err += f"hexdump: {error}\nhexdump: all input file arguments failed\n"
                return b"", 1
        return hexdump(data).encode(), 0

    def _ls(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        flag, *paths = words
        pieces: list[str] = []
        rc = 0
        for path in sorted(paths, key=lambda path: (path not in self.host.files, path)):
            listed = self._listing(path.rstrip("/") or "/", long=flag == "-l")
            if listed is None:
                self._err += f"ls: cannot access '{path}': No such file or directory\n"
                rc = 2
            else:
                title = f"{path}:\n" if len(paths) > 1 and path not in self.host.files else ""
                pieces.append(title + listed)
        return "\n".join(pieces).encode(), rc

    def _listing(self, path: str, *, long: bool) -> str | None:
        if path in self.host.files:
            size = self.host.files[path].size
            return f"-rw-r--r-- 1 root root {size} {DATE} {path}\n"
        if path == "/dev/mapper":
            names = [*self.host.mapper_names(), "control"]
        else:
            group = self.host.volume_groups.get(path.removeprefix("/dev/"))
            names = []
            if group:
                names = [name for name in group.names() if group.volume(name).active]
                pools = [name for name in group.pools() if group.pool(name).active]
                names += [name for name in pools if not group.pool(name).layered]
            names = [name for name in names if not name.startswith(".")]
            if not names:
                return None
        if not long:
            return "".join(f"{name}\n" for name in sorted(names))
        width = 7 if path == "/dev/mapper" else 1
        lines = [
            f"lrwxrwxrwx 1 root root {7:>{width}} {DATE} {name} -> ../dm-0\n"
            if name != "control"
            else f"crw------- 1 root root 10, 236 {DATE} control\n"
            for name in sorted(names)
        ]
        return "total 0\n" + "".join(lines)

    def _blkid(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        return b"", 2

    def _mkfs_ext4(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        self._sign("mkfs.ext4", words[-1])
        return b"", 0

    def _mkswap(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        self._sign("mkswap", words[-1])
        return b"", 0

    def _sfdisk(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        self._sign(stdin.split()[1].decode(), words[-1])
        self._err += "Re-reading the partition table failed.: Invalid argument\n"
        return b"", 0

    def _cryptsetup(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        self._sign(words[words.index("--type") + 1], words[-1])
        return b"", 0

    def _qemu_img(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        self._write_file(words[-2], b"QFI\xfb\0\0\0\3".ljust(196608, b"\0"))
        return b"", 0

    def _mount(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        device = self.host.open(words[0])
        assert isinstance(device, OpenVolume)
        device.mounted = True
        self.mounted[words[1]] = device
        return b"", 0

    def _umount(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        close_device(self.mounted.pop(words[0]))
        return b"", 0

    def _truncate(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        self.host.files[words[2]] = MemoryFile(int(words[1][:-1]) << 40)
        return b"", 0

    def _losetup(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        if words[0] == "-d":
            del self.host.disks[words[1]]
        else:
            self.host.add_disk(words[0], self.host.files[words[1]].size)
        return b"", 0

    def _blockdev(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        return f"{self.host.disks[words[1]].size}\n".encode(), 0

    def _pvcreate(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        result = execute(self.host, ["pvcreate", *words])
        self._err += result.stderr
        return result.stdout.encode(), result.rc

    def _rm(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        self.host.files.pop(words[-1], None)
        return b"", 0

    def _mv(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        self.host.missing_programs.discard(words[1])
        self.host.missing_programs.add(words[0])
        return b"", 0

    def _nothing(self, words: list[str], stdin: bytes) -> tuple[bytes, int]:
        return b"", 0


TOOLS: dict[str, Callable[[Shell, list[str], bytes], tuple[bytes, int]]] = {
    "blkid": Shell._blkid, "blockdev": Shell._blockdev, "cmp": Shell._cmp, "cryptsetup": Shell._cryptsetup,
    "dd": Shell._dd, "echo": Shell._echo, "head": Shell._head, "hexdump": Shell._hexdump,
    "losetup": Shell._losetup, "ls": Shell._ls, "md5sum": Shell._md5sum, "mkdir": Shell._nothing,
    "mkfs.ext4": Shell._mkfs_ext4, "mkswap": Shell._mkswap, "mount": Shell._mount, "mv": Shell._mv,
    "printf": Shell._printf,
    "pvcreate": Shell._pvcreate, "qemu-img": Shell._qemu_img, "rm": Shell._rm, "sfdisk": Shell._sfdisk,
    "sleep": Shell._nothing, "tr": Shell._tr, "truncate": Shell._truncate, "udevadm": Shell._nothing,
    "umount": Shell._umount, "wc": Shell._wc,
}  # fmt: skip


def hexdump(data: bytes) -> str:
    """The form of ``hexdump -C``."""
    lines: list[str] = []
    previous, starred = b"", False
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        if row == previous and len(row) == 16:
            if not starred:
                lines.append("*")
                starred = True
            continue
        previous, starred = row, False
        left, right = row[:8].hex(" "), row[8:].hex(" ")
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}  {left:<23}  {right:<23}  |{text}|")
    lines.append(f"{len(data):08x}")
    return "".join(f"{line}\n" for line in lines)


def _commands(script: str) -> list[tuple[str, list[list[str]]]]:
    """Pipelines, each with the joint before it."""
    lexer = shlex.shlex(script, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[tuple[str, list[list[str]]]] = [("", [[]])]
    for word in lexer:
        if word in (";", "&&"):
            found.append((word, [[]]))
        elif word == "|":
            found[-1][1].append([])
        elif word == ">" and found[-1][1][-1][-1:] == ["2"]:
            found[-1][1][-1][-1] = "2>"
        else:
            found[-1][1][-1].append(word)
    return found
