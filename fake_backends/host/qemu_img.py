"""qemu-img on the files and devices of a host, for the formats raw, luks, and qcow2 in files.

Messages are those of qemu-img 7.2, status 1 for all of them. Sources of the command lines:
`cinder.image.image_utils`, `cinder.volume.drivers.remotefs`,
`cinder.volume.drivers.rbd:RBDDriver._create_encrypted_volume`. Formats, commands and options that are not known
here fail as they do there. Every command but ``info`` passes the point ``host.qemu_img``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from fake_backends import luks
from fake_backends.block_store import BlockDevice, RegularFile, copy_range
from fake_backends.command_line import Result
from fake_backends.host.paths import Host
from fake_backends.host.qemu_img_call import (
    HINT,
    LUKS_OPTIONS,
    Call,
    Failure,
    check_format,
    check_options,
    pairs,
    parse,
    size_of,
    whole_sectors,
)
from fake_backends.host.qemu_img_images import Images
from fake_backends.host.qemu_img_report import QCOW2_DETAILS, as_text, luks_details, rbd_snapshots
from fake_backends.host.rbd_protocol import Location, RbdDevice
from fake_backends.nfs import qcow2
from fake_backends.nfs.chains import beside
from fake_backends.nfs.qcow2 import Qcow2Image
from fake_backends.rbd.bindings import Modules
from harness.errors import NoSpace, NotFound, StorageError

VERSION = """qemu-img version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)
Copyright (c) 2003-2022 Fabrice Bellard and the QEMU Project developers
"""
BYTES_PER_SECOND = 100 << 20
COMMAND_US = 10_000
_SHRINK = (
    "Use the --shrink option to perform a shrink operation.\n"
    "qemu-img: warning: Shrinking an image will delete all data beyond the shrunken image's end. Before "
    "performing such an operation, make sure there is no important data there."
)


class QemuImg:
    """The program on one host."""

    def __init__(self, host: Host, bindings: Modules | None = None) -> None:
        """`bindings` are for names that begin with ``rbd:``; without them there is no such protocol."""
        self.host = host
        self.images = Images(host, bindings)
        self._commands: dict[str, Callable[[Call], str]] = {
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
                raise Failure(f"Command not found: {name}\n{HINT}" if name else f"Not enough arguments\n{HINT}")
            return Result(self._commands[name](parse(name, rest, self._secret)))
        except Failure as failure:
            return Result(failure.stdout, f"qemu-img: {failure}\n{failure.hint}", 1)
        except StorageError as error:
            return Result(stderr=f"qemu-img: error while writing: {os.strerror(error.errno)}\n", rc=1)

    def _secret(self, path: str) -> bytes:
        try:
            return self.host.read(path)
        except NotFound:
            text = f"Unable to read {path}: Failed to open file “{path}”: No such file or directory"
            raise Failure(text) from None

    def _pass(self, command: str, *names: str, cost_us: int = COMMAND_US) -> None:
        """An error that strikes here is one of the file that is changed."""
        try:
            self.host.points.visit("host.qemu_img", f"qemu-img {command} {' '.join(names)}", cost_us=cost_us)
        except StorageError as error:
            raise Failure(f"Could not open '{names[-1]}': {os.strerror(error.errno)}") from error

    # ------------------------------------------------------------------------------------------------ info

    def _info(self, call: Call) -> str:
        path: str | None = call.image
        format = call.values.get("-f")
        records: list[dict[str, Any]] = []
        while path is not None:
            record = self._record(path, format)
            if any(record["filename"] == each["filename"] for each in records):
                raise Failure(f"Backing file '{path}' creates an infinite loop.")
            records.append(record)
            chained = "--backing-chain" in call.flags
            path = record.get("full-backing-filename") if chained else None
            format = record.get("backing-filename-format")
        if call.values.get("--output") != "json":
            return "\n".join(as_text(each) for each in records)
        return json.dumps(records if "--backing-chain" in call.flags else records[0], indent=4) + "\n"

    def _record(self, path: str, format: str | None) -> dict[str, Any]:
        """What is told of one image, in the order in which it is told."""
        record: dict[str, Any] = {}
        with self.images.device(path) as device:
            name = self.images.format(path, device, format)
            allocated = device.allocated if isinstance(device, RegularFile) else 0
            found = {"virtual-size": whole_sectors(device.size), "filename": path}
            rest: dict[str, Any] = {"format": name, "actual-size": allocated}
            if name == "luks":
                header = luks.read_header(device)
                found["virtual-size"] = device.size - header.payload_offset
                rest |= {"format-specific": {"type": "luks", "data": luks_details(header)}}
                rest["encrypted"] = True
            if isinstance(device, RbdDevice):
                record = rbd_snapshots(device)
                found["filename"] = Location.parse(path).described()
                found["cluster-size"] = device.image.stat()["obj_size"]
                del rest["actual-size"]
        if name == "qcow2":
            with self.images.qcow2(path) as image:
                found |= {"virtual-size": image.size, "cluster-size": qcow2.CLUSTER}
                rest["format-specific"] = {"type": "qcow2", "data": QCOW2_DETAILS}
                if image.backing_name is not None:
                    if image.backing_format is not None:
                        record["backing-filename-format"] = image.backing_format
                    rest["full-backing-filename"] = beside(path, image.backing_name)
                    rest["backing-filename"] = image.backing_name
        return record | found | rest | {"dirty-flag": False}

    # ------------------------------------------------------------------------------------------ one image

    def _create(self, call: Call) -> str:
        if not call.words:
            raise Failure(f"Expecting image file name\n{HINT}")
        path = call.words[0]
        name = call.values.get("-f", "raw")
        check_format(name, f"{path}: Unknown file format")
        check_options(path, name, call.options)
        if name == "qcow2":
            return self._create_qcow2(call, path)
        if name == "raw" and "-b" in call.values:
            raise Failure(f"{path}: Backing file not supported for file format 'raw'")
        if len(call.words) < 2:
            raise Failure(f"{path}: Image creation needs a size parameter")
        size = size_of(call.words[1])
        settings = "".join(
            f" {option}={call.options[option]}" for option in LUKS_OPTIONS if option in call.options
        )
        line = f"Formatting '{path}', fmt={name} size={size}{settings}\n"
        self._pass("create", path)
        try:
            self.images.make(call, path, name, size)
        except Failure as failure:
            raise Failure(f"{path}: {failure}", stdout=line) from None
        return "" if "-q" in call.flags else line

    def _create_qcow2(self, call: Call, path: str) -> str:
        options = call.options
        backing = call.values.get("-b", options.get("backing_file"))
        format = call.values.get("-F", options.get("backing_fmt"))
        if backing is not None and format is None:
            found = self._record(beside(path, backing), None)["format"]
            text = f"{path}: Backing file specified without backing format"
            raise Failure(text, hint=f"Detected format of {found}.")
        if len(call.words) > 1:
            size = size_of(call.words[1])
        elif backing is None:
            raise Failure(f"{path}: Image creation needs a size parameter")
        else:
            size = self._virtual_size(path, beside(path, backing), format)
        named = f" backing_file={backing} backing_fmt={format}" if backing is not None else ""
        preallocated = options.get("preallocation", "off") != "off"
        allocation = " preallocation=metadata" if preallocated else ""
        line = (
            f"Formatting '{path}', fmt=qcow2 cluster_size=65536 extended_l2=off{allocation} "
            f"compression_type=zlib size={size}{named} lazy_refcounts=off refcount_bits=16\n"
        )
        self._pass("create", path)
        try:
            self.images.make_qcow2(
                path, size, preallocated=preallocated, backing=backing, backing_format=format
            )
        except Failure as failure:
            raise Failure(f"{path}: {failure}", stdout=line) from None
        return "" if "-q" in call.flags else line

    def _virtual_size(self, path: str, backing: str, format: str | None) -> int:
        if not self.host.exists(backing):
            text = f"Could not open '{backing}': No such file or directory\nCould not open backing image."
            raise Failure(f"{path}: {text}")
        size: int = self._record(backing, format)["virtual-size"]
        return size

    def _resize(self, call: Call) -> str:
        path, text = call.words[:2] if len(call.words) > 1 else ("", "")
        if not text:
            raise Failure(f"Expecting image file name and size\n{HINT}")
        with self.images.device(path) as device:
            name = self.images.format(path, device, call.values.get("-f"))
            if name == "luks" or not isinstance(device, RegularFile):
                raise Failure("Image format driver does not support resize")
            size = size_of(text)
            self._pass("resize", path)
            if name == "qcow2":
                self._resize_qcow2(path, size)
                return "Image resized.\n"
            if size < device.size and "--shrink" not in call.flags:
                raise Failure(_SHRINK)
            device.truncate(size)
        return "Image resized.\n"

    def _resize_qcow2(self, path: str, size: int) -> None:
        with self.images.qcow2(path) as image:
            if size < image.size:
                raise Failure(_SHRINK)
            image.resize(size)

    # --------------------------------------------------------------------------------------- several images

    def _commit(self, call: Call) -> str:
        """With ``-d`` the image stays as it is; to empty it is not known."""
        path = call.image
        if "backing-filename" not in self._record(path, call.values.get("-f")):
            raise Failure("Image does not have a backing file")
        if "-d" not in call.flags:
            raise Failure("only commit -d is known")
        self._pass("commit", path)
        with self.images.chain(path, "qcow2") as image:
            assert isinstance(image, Qcow2Image)
            image.commit()
        return "" if "-q" in call.flags else "Image committed.\n"

    def _rebase(self, call: Call) -> str:
        """``-u``: the header names another file, of the same content, or none."""
        path = call.image
        if "-u" not in call.flags:
            raise Failure("only rebase -u is known")
        backing = call.values.get("-b", "")
        self._pass("rebase", backing, path)
        with self.images.qcow2(path) as image:
            image.rebase(backing or None, call.values.get("-F") if backing else None)
        return ""

    def _convert(self, call: Call) -> str:
        source, target = call.words[:2] if len(call.words) > 1 else ("", "")
        if not target:
            raise Failure("Must specify image file name")
        name = call.values.get("-O", "raw")
        check_format(name, "Unknown file format")
        check_options(target, name, call.options)
        options = pairs(source) if "--image-opts" in call.flags else {"file.filename": source}
        with self.images.disk(source, call, options) as disk:
            cost_us = disk.size * 1_000_000 // BYTES_PER_SECOND
            self._pass("convert", "-O", name, source, target, cost_us=cost_us)
            self._make_target(call, target, name, whole_sectors(disk.size))
            if name == "qcow2":
                with self.images.chain(target, "qcow2") as copy:
                    for number in disk.occupied(0, disk.chunk_count):
                        copy.store(number, disk.load(number))
            else:
                self._copy(call, disk, target, name)
        return ""

    def _make_target(self, call: Call, path: str, format: str, size: int) -> None:
        try:
            if format == "qcow2":
                self.images.make_qcow2(path, size)
            elif "-n" not in call.flags:
                self.images.make(call, path, format, size)
        except Failure as failure:
            raise Failure(f"{path}: error while converting {format}: {failure}") from None

    def _copy(self, call: Call, disk: BlockDevice, path: str, format: str) -> None:
        with self.images.device(path) as below:
            if format == "raw" and below.size < disk.size:
                raise Failure("output file is smaller than input file")
            copy = luks.LuksDevice(below, call.key(call.options)) if format == "luks" else below
            fresh = "-n" not in call.flags and isinstance(below, RegularFile)
            try:
                copy_range(disk, copy, 0, disk.chunk_count, sparse=fresh)
            except NoSpace as error:
                raise Failure(f"error while writing at byte {error.written}: {error}") from error
