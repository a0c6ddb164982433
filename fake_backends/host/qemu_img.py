"""qemu-img on the files and devices of a host, for the formats raw, luks, and qcow2 in files.

Messages are those of qemu-img 7.2, status 1 for all of them. Sources of the command lines:
`cinder.image.image_utils`, `cinder.volume.drivers.rbd:RBDDriver._create_encrypted_volume`. Formats,
commands and options that are not known here fail as they do there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from fake_backends import luks
from fake_backends.block_store import BlockDevice, RegularFile, copy_range
from fake_backends.command_line import Result
from fake_backends.host.paths import Host
from fake_backends.host.qcow2_chains import beside, commit, header, opened
from fake_backends.host.rbd_protocol import (
    PREFIX,
    Location,
    RbdDevice,
    RbdFailure,
    create_image,
    open_image,
)
from fake_backends.luks.cipher import SECTOR
from fake_backends.luks.header import STRIPES
from fake_backends.luks.luks1 import SLOTS, material_offset
from fake_backends.lvm.host import close_device
from fake_backends.nfs import qcow2
from fake_backends.nfs.qcow2 import Qcow2Image
from fake_backends.rbd.bindings import Modules
from harness.errors import InvalidArgument, NoSpace, NotFound, StorageError

VERSION = """qemu-img version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)
Copyright (c) 2003-2022 Fabrice Bellard and the QEMU Project developers
"""
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_LUKS_OPTIONS = (
    "key-secret",
    "cipher-alg",
    "cipher-mode",
    "ivgen-alg",
    "ivgen-hash-alg",
    "hash-alg",
    "iter-time",
)
_QCOW2_OPTIONS = ("backing_file", "backing_fmt", "preallocation", "compat")
# Options by command: those that take a value, and those that do not.
_OPTIONS = {
    "info": ({"-f", "--output", "--object"}, {"-U", "--force-share", "--image-opts", "--backing-chain"}),
    "commit": ({"-f", "-t"}, {"-q", "-d"}),
    "create": ({"-f", "-o", "-b", "-F", "--object"}, {"-q", "-u"}),
    "rebase": ({"-f", "-b", "-F"}, {"-q", "-u"}),
    "convert": (
        {"-f", "-O", "-o", "-t", "-T", "-S", "-m", "--object"},
        {"-n", "-p", "-q", "-W", "-U", "--force-share", "--image-opts"},
    ),
    "resize": ({"-f", "--object"}, {"-q", "--shrink", "--image-opts"}),
}
_QCOW2_DETAILS = {
    "compat": "1.1",
    "compression-type": "zlib",
    "lazy-refcounts": False,
    "refcount-bits": 16,
    "corrupt": False,
    "extended-l2": False,
}
_HINT = "Try 'qemu-img --help' for more information"


_SHRINK = (
    "Use the --shrink option to perform a shrink operation.\n"
    "qemu-img: warning: Shrinking an image will delete all data beyond the shrunken image's end. Before "
    "performing such an operation, make sure there is no important data there."
)


class _Failure(Exception):
    """The command ends here, with status 1."""

    def __init__(self, message: str, *, stdout: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.stdout = stdout
        self.hint = hint


@dataclass
class _Call:
    """A command line, taken apart; `options` are those of ``-o``, in order."""

    words: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    options: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict)


class QemuImg:
    """The program on one host."""

    def __init__(self, host: Host, bindings: Modules | None = None) -> None:
        """`bindings` are for names that begin with ``rbd:``; without them there is no such protocol."""
        self.host = host
        self._bindings = bindings
        self._commands: dict[str, Callable[[_Call], str]] = {
            "info": self._info,
            "commit": self._commit,
            "create": self._create,
            "rebase": self._rebase,
            "convert": self._convert,
            "resize": self._resize,
        }

    def execute(self, arguments: Sequence[str]) -> Result:
        """Run with these arguments."""
        name, *rest = [str(argument) for argument in arguments] or [""]
        if name == "--version":
            return Result(VERSION)
        try:
            if name not in self._commands:
                raise _Failure(
                    f"Command not found: {name}\n{_HINT}" if name else f"Not enough arguments\n{_HINT}"
                )
            return Result(self._commands[name](self._parsed(name, rest)))
        except _Failure as failure:
            return Result(failure.stdout, f"qemu-img: {failure}\n{failure.hint}", 1)

    def _parsed(self, command: str, arguments: list[str]) -> _Call:
        valued, plain = _OPTIONS[command]
        call = _Call()
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            name, equals, value = word.partition("=")
            if not word.startswith("-"):
                call.words.append(word)
            elif word in plain:
                call.flags.add(word)
            elif name in valued and (equals or rest):
                self._take(call, name, value if equals else rest.pop(0))
            elif word.startswith("--"):
                raise _Failure(f"unrecognized option '{name}'\n{_HINT}")
            else:
                raise _Failure(f"unrecognized option '{word}'\n{_HINT}")
        return call

    def _take(self, call: _Call, name: str, value: str) -> None:
        if name == "-o":
            call.options |= _pairs(value)
        elif name == "--object":
            kind, _, rest = value.partition(",")
            properties = _pairs(rest)
            if kind != "secret":
                raise _Failure(f"invalid object type: {kind}")
            call.secrets[properties["id"]] = self._secret(properties)
        else:
            call.values[name] = value

    def _secret(self, properties: dict[str, str]) -> bytes:
        if "file" not in properties:
            return properties.get("data", "").encode()
        path = properties["file"]
        try:
            return self.host.read(path)
        except NotFound:
            text = f"Unable to read {path}: Failed to open file “{path}”: No such file or directory"
            raise _Failure(text) from None

    # -------------------------------------------------------------------------------------------- commands

    def _info(self, call: _Call) -> str:
        path: str | None = _one(call)
        format = call.values.get("-f")
        records: list[dict[str, Any]] = []
        while path is not None:
            record = self._record(path, format)
            if any(record["filename"] == each["filename"] for each in records):
                raise _Failure(f"Backing file '{path}' creates an infinite loop.")
            records.append(record)
            chained = "--backing-chain" in call.flags
            path = record.get("full-backing-filename") if chained else None
            format = record.get("backing-filename-format")
        if call.values.get("--output") != "json":
            return "\n".join(_as_text(each) for each in records)
        return json.dumps(records if "--backing-chain" in call.flags else records[0], indent=4) + "\n"

    def _record(self, path: str, format: str | None) -> dict[str, Any]:
        """What is told of one image, in the order in which it is told."""
        record: dict[str, Any] = {}
        with self._device(path) as device:
            name = self._format(path, device, format)
            allocated = device.allocated if isinstance(device, RegularFile) else 0
            found = {"virtual-size": _whole_sectors(device.size), "filename": path}
            rest: dict[str, Any] = {"format": name, "actual-size": allocated}
            if name == "luks":
                luks_header = luks.read_header(device)
                found["virtual-size"] = device.size - luks_header.payload_offset
                rest |= {"format-specific": {"type": "luks", "data": _luks_details(luks_header)}}
                rest["encrypted"] = True
            if isinstance(device, RbdDevice):
                record = _snapshots(device)
                found["filename"] = Location.parse(path).described()
                found["cluster-size"] = device.image.stat()["obj_size"]
                del rest["actual-size"]
        if name == "qcow2":
            with self._qcow2(path, alone=True) as image:
                found |= {"virtual-size": image.size, "cluster-size": qcow2.CLUSTER}
                rest["format-specific"] = {"type": "qcow2", "data": _QCOW2_DETAILS}
                if image.backing_name is not None:
                    if image.backing_format is not None:
                        record["backing-filename-format"] = image.backing_format
                    rest["full-backing-filename"] = beside(path, image.backing_name)
                    rest["backing-filename"] = image.backing_name
        return record | found | rest | {"dirty-flag": False}

    def _commit(self, call: _Call) -> str:
        """With ``-d`` the image stays as it is; to empty it is not known."""
        path = _one(call)
        if "backing-filename" not in self._record(path, call.values.get("-f")):
            raise _Failure("Image does not have a backing file")
        if "-d" not in call.flags:
            raise _Failure("only commit -d is known")
        try:
            commit(self.host, path)
        except (InvalidArgument, NotFound) as error:
            raise _Failure(str(error)) from error
        return "" if "-q" in call.flags else "Image committed.\n"

    def _rebase(self, call: _Call) -> str:
        """``-u``: the header names another file, of the same content, or none."""
        path = _one(call)
        if "-u" not in call.flags:
            raise _Failure("only rebase -u is known")
        backing = call.values.get("-b", "")
        with self._qcow2(path, alone=True) as image:
            image.rebase(backing or None, call.values.get("-F") if backing else None)
        return ""

    def _create(self, call: _Call) -> str:
        if not call.words:
            raise _Failure(f"Expecting image file name\n{_HINT}")
        path = call.words[0]
        name = call.values.get("-f", "raw")
        _check_format(name, f"{path}: Unknown file format")
        _check_options(path, name, call.options)
        if name == "qcow2":
            return self._create_qcow2(call, path)
        if name == "raw" and "-b" in call.values:
            raise _Failure(f"{path}: Backing file not supported for file format 'raw'")
        if len(call.words) < 2:
            raise _Failure(f"{path}: Image creation needs a size parameter")
        size = _size(call.words[1])
        settings = "".join(
            f" {option}={call.options[option]}" for option in _LUKS_OPTIONS if option in call.options
        )
        line = f"Formatting '{path}', fmt={name} size={size}{settings}\n"
        try:
            self._make(call, path, name, size)
        except _Failure as failure:
            raise _Failure(f"{path}: {failure}", stdout=line) from None
        return "" if "-q" in call.flags else line

    def _create_qcow2(self, call: _Call, path: str) -> str:
        options = call.options
        backing = call.values.get("-b", options.get("backing_file"))
        format = call.values.get("-F", options.get("backing_fmt"))
        if backing is not None and format is None:
            found = self._record(beside(path, backing), None)["format"]
            text = f"{path}: Backing file specified without backing format"
            raise _Failure(text, hint=f"Detected format of {found}.")
        if len(call.words) > 1:
            size = _size(call.words[1])
        elif backing is None:
            raise _Failure(f"{path}: Image creation needs a size parameter")
        else:
            size = self._virtual_size(path, beside(path, backing), format)
        named = f" backing_file={backing} backing_fmt={format}" if backing is not None else ""
        preallocated = options.get("preallocation", "off") != "off"
        allocation = " preallocation=metadata" if preallocated else ""
        line = (
            f"Formatting '{path}', fmt=qcow2 cluster_size=65536 extended_l2=off{allocation} "
            f"compression_type=zlib size={size}{named} lazy_refcounts=off refcount_bits=16\n"
        )
        try:
            self._make_qcow2(path, size, preallocated=preallocated, backing=backing, format=format)
        except _Failure as failure:
            raise _Failure(f"{path}: {failure}", stdout=line) from None
        return "" if "-q" in call.flags else line

    def _virtual_size(self, path: str, backing: str, format: str | None) -> int:
        if not self.host.exists(backing):
            text = f"Could not open '{backing}': No such file or directory\nCould not open backing image."
            raise _Failure(f"{path}: {text}")
        size: int = self._record(backing, format)["virtual-size"]
        return size

    def _convert(self, call: _Call) -> str:
        source, target = call.words[:2] if len(call.words) > 1 else ("", "")
        if not target:
            raise _Failure("Must specify image file name")
        name = call.values.get("-O", "raw")
        _check_format(name, "Unknown file format")
        _check_options(target, name, call.options)
        with self._source(call, source) as device:
            if name == "qcow2":
                return self._convert_to_qcow2(device, target)
            if "-n" not in call.flags:
                try:
                    self._make(call, target, name, _whole_sectors(device.size))
                except _Failure as failure:
                    raise _Failure(f"{target}: error while converting {name}: {failure}") from None
            with self._device(target) as below:
                if name == "raw" and below.size < device.size:
                    raise _Failure("output file is smaller than input file")
                key = self._key(call, call.options) if name == "luks" else b""
                copy = luks.LuksDevice(below, key) if name == "luks" else below
                fresh = "-n" not in call.flags and isinstance(below, RegularFile)
                try:
                    copy_range(device, copy, 0, device.chunk_count, sparse=fresh)
                except NoSpace as error:
                    raise _Failure(f"error while writing at byte {error.written}: {error}") from error
        return ""

    def _convert_to_qcow2(self, source: BlockDevice, path: str) -> str:
        try:
            self._make_qcow2(path, _whole_sectors(source.size))
        except _Failure as failure:
            raise _Failure(f"{path}: error while converting qcow2: {failure}") from None
        with self._qcow2(path) as copy:
            for number in source.occupied(0, source.chunk_count):
                copy.store(number, source.load(number))
        return ""

    def _resize(self, call: _Call) -> str:
        path, text = call.words[:2] if len(call.words) > 1 else ("", "")
        if not text:
            raise _Failure(f"Expecting image file name and size\n{_HINT}")
        with self._device(path) as device:
            name = self._format(path, device, call.values.get("-f"))
            if name == "luks" or not isinstance(device, RegularFile):
                raise _Failure("Image format driver does not support resize")
            size = _size(text)
            if name == "qcow2":
                self._resize_qcow2(path, size)
                return "Image resized.\n"
            if size < device.size and "--shrink" not in call.flags:
                raise _Failure(_SHRINK)
            device.truncate(size)
        return "Image resized.\n"

    # --------------------------------------------------------------------------------------------- insides

    def _resize_qcow2(self, path: str, size: int) -> None:
        with self._qcow2(path, alone=True) as image:
            if size < image.size:
                raise _Failure(_SHRINK)
            image.resize(size)

    @contextmanager
    def _qcow2(self, path: str, *, alone: bool = False) -> Iterator[Qcow2Image]:
        """The image, with what is under it if not `alone`."""
        with ExitStack() as stack:
            try:
                image = stack.enter_context((header if alone else opened)(self.host, path))
            except (InvalidArgument, NotFound) as error:
                raise _Failure(f"Could not open '{path}': {error}") from None
            yield image

    def _make_qcow2(
        self,
        path: str,
        size: int,
        *,
        preallocated: bool = False,
        backing: str | None = None,
        format: str | None = None,
    ) -> None:
        if self.host.is_device(path):
            raise _Failure("only files are known to hold qcow2 images")
        self._new_file(path, 0)
        file = self.host.file(path)
        assert file is not None
        qcow2.create(file, size, preallocated=preallocated, backing=backing, backing_format=format)
        close_device(file)

    def _make(self, call: _Call, path: str, name: str, size: int) -> None:
        """A new file of this format for `size` bytes; a device is used as it is."""
        if name == "raw":
            if not self.host.exists(path) or self.host.is_file(path):
                self._new_file(path, size)
            return
        key = self._key(call, call.options)
        algorithm = call.options.get("cipher-alg", "aes-256")
        bits = {"aes-128": 128, "aes-256": 256}.get(algorithm)
        if bits is None:
            raise _Failure(f"Parameter 'cipher-alg' does not accept value '{algorithm}'")
        mode, generator = call.options.get("cipher-mode", "xts"), call.options.get("ivgen-alg", "plain64")
        if mode != "xts":
            raise _Failure(f"Parameter 'cipher-mode' does not accept value '{mode}'")
        offset = luks.QEMU_IMG_OFFSET[bits]
        if not self.host.exists(path) or self.host.is_file(path):
            self._new_file(path, size + offset)
        with self._device(path) as device:
            luks.format(
                device,
                provider="luks",
                key=key,
                key_size=2 * bits,
                cipher=f"aes-{mode}-{generator}",
                payload_offset=offset,
                salt=self.host.ids.uuid().encode(),
            )

    def _new_file(self, path: str, size: int) -> None:
        if path.startswith(PREFIX):
            if self._bindings is None:
                raise _Failure("Unknown protocol 'rbd'")
            try:
                create_image(self._bindings, Location.parse(path), size)
            except RbdFailure as failure:
                raise _Failure(str(failure)) from None
            return
        try:
            close_device(self.host.create(path, size))
        except NotFound:
            raise _Failure(f"Could not create '{path}': No such file or directory") from None

    @contextmanager
    def _opened_image(self, name: str) -> Iterator[BlockDevice]:
        """An image of Ceph, open for as long as the block lasts."""
        if self._bindings is None:
            raise _Failure(f"Could not open '{name}': Unknown protocol 'rbd'")
        try:
            device = open_image(self._bindings, Location.parse(name))
        except RbdFailure as failure:
            raise _Failure(f"Could not open '{name}': {failure}") from None
        try:
            yield device
        finally:
            device.close()

    @contextmanager
    def _device(self, path: str) -> Iterator[BlockDevice]:
        if path.startswith(PREFIX):
            with self._opened_image(path) as image:
                yield image
            return
        if not self.host.exists(path):
            raise _Failure(f"Could not open '{path}': Could not open '{path}': No such file or directory")
        with self.host.opened(path) as device:
            yield device

    @contextmanager
    def _source(self, call: _Call, source: str) -> Iterator[BlockDevice]:
        """What a conversion reads: by path, or by ``--image-opts``; decrypted if it is luks."""
        options = _pairs(source) if "--image-opts" in call.flags else {"file.filename": source}
        path = options.get("file.filename", options.get("filename", ""))
        with self._device(path) as device:
            name = self._format(path, device, options.get("driver", call.values.get("-f")))
            if name == "raw":
                yield device
                return
            if name == "qcow2":
                with self._qcow2(path) as image:
                    yield image
                return
            try:
                key = self._key(call, options)
                opened = luks.LuksDevice(device, key)
            except _Failure as failure:
                raise _Failure(f"Could not open '{source}': {failure}") from None
            except InvalidArgument:
                raise _Failure(f"Could not open '{source}': Volume is not in LUKS format") from None
            except StorageError:
                text = f"Could not open '{source}': Invalid password, cannot unlock any keyslot"
                raise _Failure(text) from None
            yield opened

    @staticmethod
    def _key(call: _Call, options: dict[str, str]) -> bytes:
        name = options.get("key-secret")
        if name is None:
            raise _Failure("Parameter 'key-secret' is required for cipher")
        if name not in call.secrets:
            raise _Failure(f"No secret with id '{name}'")
        return call.secrets[name]

    @staticmethod
    def _format(path: str, device: BlockDevice, wanted: str | None) -> str:
        """The format asked for, or what the content looks like. LUKS2 is none that QEMU knows."""
        found = "luks" if luks.provider_of(device) == "luks" else "raw"
        if isinstance(device, RegularFile) and qcow2.is_qcow2(device):
            found = "qcow2"
        if wanted is None:
            return found
        _check_format(wanted, f"Could not open '{path}': Unknown driver")
        if wanted == "luks" != found:
            raise _Failure(f"Could not open '{path}': Volume is not in LUKS format")
        if wanted == "qcow2" != found:
            raise _Failure(f"Could not open '{path}': Image is not in qcow2 format")
        return wanted


def _check_format(name: str, message: str) -> None:
    if name not in ("raw", "luks", "qcow2"):
        raise _Failure(f"{message} '{name}'")


def _check_options(path: str, name: str, options: dict[str, str]) -> None:
    known = {"luks": _LUKS_OPTIONS, "qcow2": _QCOW2_OPTIONS}.get(name, ())
    for option in options:
        if option not in known:
            raise _Failure(f"{path}: Invalid parameter '{option}'")


def _snapshots(device: RbdDevice) -> dict[str, Any]:
    """The snapshots of an image of Ceph. They have no saved state: all is 0, but for the image's size."""
    moments = {"icount": 0, "vm-clock-nsec": 0}
    rest = {"date-sec": 0, "date-nsec": 0, "vm-clock-sec": 0}
    snapshots = [
        {**moments, "name": each["name"], **rest, "id": each["name"], "vm-state-size": each["size"]}
        for each in device.image.list_snaps()
    ]
    return {"snapshots": snapshots} if snapshots else {}


def _one(call: _Call) -> str:
    if len(call.words) != 1:
        raise _Failure(f"Expecting one image file name\n{_HINT}")
    return call.words[0]


def _pairs(text: str) -> dict[str, str]:
    """``a=b,c=d``; a comma in a value is doubled."""
    parts = re.split(r"(?<!,),(?!,)", text) if text else []
    return {name: value.replace(",,", ",") for name, _, value in (part.partition("=") for part in parts)}


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([bkmgt]?)", text.lower())
    if match is None:
        raise _Failure(
            "Invalid image size specified! You may use k, M, G, T, P or E suffixes for kilobytes, megabytes, "
            "gigabytes, terabytes, petabytes and exabytes."
        )
    size = int(float(match[1]) * _UNITS[match[2]])
    return _whole_sectors(size)


def _whole_sectors(size: int) -> int:
    """QEMU sees the end of a file as a whole sector."""
    return -(-size // SECTOR) * SECTOR


def _luks_details(header: luks.Header) -> dict[str, Any]:
    _, mode, generator = header.cipher.split("-", 2)
    bits = header.key_size * 8 // (2 if mode == "xts" else 1)
    slots = []
    for number in range(SLOTS):
        slot = header.slots.get(number)
        if slot is None:
            slots.append({"active": False, "key-offset": material_offset(number, header.key_size)})
        else:
            slots.append(
                {"active": True, "iters": slot.iterations, "key-offset": slot.offset, "stripes": STRIPES}
            )
    return {
        "ivgen-alg": generator,
        "hash-alg": header.digest.hash,
        "cipher-alg": f"aes-{bits}",
        "uuid": header.uuid,
        "cipher-mode": mode,
        "slots": slots,
        "payload-offset": header.payload_offset,
        "master-key-iters": header.digest.iterations,
    }


def _as_text(record: dict[str, Any]) -> str:
    size = record["virtual-size"]
    lines = [
        f"image: {record['filename']}",
        f"file format: {record['format']}",
        f"virtual size: {_readable(size)} ({size} bytes)",
        f"disk size: {_readable(record['actual-size']) if 'actual-size' in record else 'unavailable'}",
    ]
    if record.get("encrypted"):
        lines.append("encrypted: yes")
    if "cluster-size" in record:
        lines.append(f"cluster_size: {record['cluster-size']}")
    if "backing-filename" in record:
        name, full = record["backing-filename"], record["full-backing-filename"]
        lines.append(f"backing file: {name}" + (f" (actual path: {full})" if full != name else ""))
    if "backing-filename-format" in record:
        lines.append(f"backing file format: {record['backing-filename-format']}")
    if "format-specific" in record:
        lines.append("Format specific information:")
        for key, value in record["format-specific"]["data"].items():
            label = key.replace("-", " ")
            if key != "slots":
                lines.append(f"    {label}: {str(value).lower() if isinstance(value, bool) else value}")
                continue
            lines.append("    slots:")
            for number, slot in enumerate(value):
                lines.append(f"        [{number}]:")
                for each, content in slot.items():
                    shown = str(content).lower() if isinstance(content, bool) else content
                    lines.append(f"            {each.replace('-', ' ')}: {shown}")
    return "\n".join(lines) + "\n"


def _readable(size: int) -> str:
    """As QEMU's size_to_str: three digits."""
    power = 0
    while size >= 1000 << 10 * power:
        power += 1
    return f"{size / (1 << 10 * power):.3g} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')[power]}"
