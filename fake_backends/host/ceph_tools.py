"""The commands ``rbd`` and ``ceph`` of 16.2.15, as far as Cinder and os-brick call them.

They work through the bindings, as the real ``rbd`` works through librbd. What they do not know fails with a
word of what was asked. Mapping an image needs a kernel module, which the machine does not have.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fake_backends.block_store import CHUNK, PAGE
from fake_backends.command_line import Result
from fake_backends.host.paths import Host
from fake_backends.lvm.host import close_device
from fake_backends.rbd.bindings import Modules
from fake_backends.rbd.bindings.client import Rados
from harness.errors import NotFound

VERSION = "ceph version 16.2.15 (618f440892089921c3e944a991122ddc44e60516) pacific (stable)\n"
_FLAGS = {"--new-format": "use --image-format 2", "--no-progress": "", "--allow-shrink": ""}
_VALUED = {
    "--pool": "",
    "-p": "",
    "--dest-pool": "",
    "--image": "",
    "--order": "use --object-size",
    "--id": "",
    "--user": "",
    "--cluster": "",
    "--conf": "",
    "-c": "",
    "--format": "",
    "--mon_host": "",
}


class _Failure(Exception):
    """`status` is both the number in the text and what the process exits with."""

    def __init__(self, text: str, number: int) -> None:
        super().__init__(text)
        self.number = number


@dataclass
class _Call:
    words: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)

    def image(self) -> tuple[str, str]:
        """Pool and image: ``pool/image``, or the image with ``--pool``."""
        spec = self.words[0]
        pool, slash, name = spec.partition("/")
        return (pool, name) if slash else (self.options.get("--pool", "rbd"), spec)


class CephTools:
    """The programs on one host. `bindings` are the modules of that host."""

    def __init__(self, host: Host, bindings: Modules) -> None:
        self.host = host
        self._rados, self._rbd = bindings
        self._commands: dict[str, Callable[[_Call], Result]] = {
            "ls": self._list,
            "info": self._info,
            "status": self._status,
            "snap ls": self._snapshots,
            "rm": self._remove,
            "import": self._import,
            "export": self._export,
            "showmapped": self._mapped,
        }

    # --------------------------------------------------------------------------------------------- ceph

    def ceph(self, arguments: Sequence[str]) -> Result:
        """``ceph``: monitors answer, or the client says why it could not ask them."""
        call = _parsed(arguments)
        client = self._connected(call)
        if client is None:
            return Result("", "[errno 2] RADOS object not found (error connecting to the cluster)\n", 1)
        prefix = " ".join(call.words)
        number, output, message = client.mon_command(json.dumps({"prefix": prefix, "format": "json"}), b"")
        if number:
            return Result("", f"Error {errno.errorcode[-number]}: {message}\n", -number)
        leading = "" if output.startswith(b"\n") else "\n"
        return Result(leading + output.decode(), f"{message}\n" if message else "")

    # ---------------------------------------------------------------------------------------------- rbd

    def rbd(self, arguments: Sequence[str]) -> Result:
        """``rbd``."""
        if list(arguments) == ["--version"]:
            return Result(VERSION)
        try:
            call = _parsed(arguments)
        except _Failure as failure:
            return Result("", f"rbd: {failure}\n", failure.number)
        name = next(
            (name for name in self._commands if call.words[: name.count(" ") + 1] == name.split()), None
        )
        if name is None:
            return Result("", f"error: unknown option '{' '.join(call.words)}'\n", 22)
        del call.words[: name.count(" ") + 1]
        try:
            result = self._commands[name](call)
        except _Failure as failure:
            result = Result("", f"{failure}\n", failure.number)
        return result._replace(stderr=result.stderr + _deprecations(name, call))

    def _list(self, call: _Call) -> Result:
        try:
            ioctx = self._ioctx(call, call.words[0] if call.words else call.options.get("--pool", "rbd"))
            names = self._rbd.RBD().list(ioctx)
        except _Failure as failure:
            text = f"{failure}\nrbd: listing images failed: ({failure.number}) {os.strerror(failure.number)}"
            raise _Failure(text, failure.number) from failure
        return Result("".join(f"{name}\n" for name in names))

    def _info(self, call: _Call) -> Result:
        pool, name = call.image()
        with self._image(call, pool, name) as image:
            stat, features = image.stat(), image.features()
            made = _clock(image.create_timestamp())
            document = {
                "name": image.get_name(),
                "id": image.id(),
                "size": stat["size"],
                "objects": stat["num_objs"],
                "order": stat["order"],
                "object_size": stat["obj_size"],
                "snapshot_count": len(list(image.list_snaps())),
                "block_name_prefix": stat["block_name_prefix"],
                "format": 2,
                "features": self._named(features),
                "op_features": [],
                "flags": [],
                "create_timestamp": made,
                "access_timestamp": _clock(image.access_timestamp()),
                "modify_timestamp": _clock(image.modify_timestamp()),
            }
        return Result(_document(document))

    def _named(self, features: int) -> list[str]:
        names = {bit: self._rbd.RBD().features_to_string(bit) for bit in (1 << shift for shift in range(12))}
        return [name for bit, name in names.items() if features & bit]

    def _status(self, call: _Call) -> Result:
        pool, name = call.image()
        with self._image(call, pool, name) as image:
            watchers = [
                {"address": each["addr"], "client": each["id"], "cookie": each["cookie"]}
                for each in image.watchers_list()
            ]
        return Result(_document({"watchers": watchers}))

    def _snapshots(self, call: _Call) -> Result:
        pool, name = call.image()
        with self._image(call, pool, name) as image:
            entries = [
                {
                    "id": each["id"],
                    "name": each["name"],
                    "size": each["size"],
                    "protected": str(image.is_protected_snap(each["name"])).lower(),
                    "timestamp": _clock(image.get_snap_timestamp(each["id"])),
                }
                for each in image.list_snaps()
                if each["namespace"] == 0
            ]
        return Result(_document(entries))

    def _remove(self, call: _Call) -> Result:
        pool, name = call.image()
        ioctx = self._ioctx(call, pool)
        try:
            self._rbd.RBD().remove(ioctx, name)
        except self._rbd.ImageHasSnapshots as error:
            hint = "these must be deleted with 'rbd snap purge' before the image can be removed."
            text = f"\rRemoving image: 0% complete...failed.\nrbd: image has snapshots - {hint}"
            raise _Failure(text, errno.ENOTEMPTY) from error
        except self._rbd.OSError as error:
            text = f"delete error: ({error.errno}) {os.strerror(error.errno)}"
            raise _Failure(f"\rRemoving image: 0% complete...failed.\nrbd: {text}", error.errno) from error
        return Result("", "\rRemoving image: 100% complete...done.\n")

    def _mapped(self, call: _Call) -> Result:
        return Result("[]\n" if call.options.get("--format") == "json" else "")

    # ------------------------------------------------------------------------------------------- content

    def _import(self, call: _Call) -> Result:
        path = call.words[0]
        if "--dest-pool" in call.options or "--pool" in call.options:
            pool = call.options.get("--dest-pool") or call.options["--pool"]
        else:
            pool = "rbd"
        name = call.words[1] if len(call.words) > 1 else path.rpartition("/")[2]
        ioctx = self._ioctx(call, pool)
        try:
            source = self.host.open(path)
        except NotFound as error:
            text = f"rbd: error opening {path}\nrbd: import failed: (2) No such file or directory"
            raise _Failure(text, errno.ENOENT) from error
        try:
            if source.size == 0:
                text = "rbd: unable to get size of file/block device\n" + _failed(
                    "Importing image", "import", 25
                )
                raise _Failure(text, errno.ENOTTY)
            try:
                self._rbd.RBD().create(ioctx, name, source.size, int(call.options.get("--order", "22")))
            except self._rbd.OSError as error:
                text = "rbd: image creation failed\n" + _failed("Importing image", "import", error.errno)
                raise _Failure(text, error.errno) from error
            with self._rbd.Image(ioctx, name) as image:
                for number in source.occupied(0, source.chunk_count):
                    for index, page in sorted(source.load(number).items()):
                        offset = number * CHUNK + index * PAGE
                        image.write(page[: source.size - offset], offset)
        finally:
            close_device(source)
        return Result("", _progress("Importing image", source.size))

    def _export(self, call: _Call) -> Result:
        pool, name = call.image()
        path = call.words[1]
        with self._image(call, pool, name) as image:
            if self.host.is_file(path):
                raise _Failure("rbd: export error: (17) File exists", errno.EEXIST)
            size = image.size()
            try:
                close_device(self.host.create(path, size))
            except NotFound as error:
                raise _Failure("rbd: export error: (2) No such file or directory", errno.ENOENT) from error
            extents: list[tuple[int, int]] = []
            if size:
                image.diff_iterate(
                    0, size, None, lambda offset, length, exists: extents.append((offset, length))
                )
            with self.host.opened(path) as target:
                for offset, length in extents:
                    target.write(offset, image.read(offset, length))
        return Result("", _progress("Exporting image", size))

    # ------------------------------------------------------------------------------------------- insides

    def _connected(self, call: _Call) -> Rados | None:
        client: Rados = self._rados.Rados(
            rados_id=call.options.get("--id", "admin"),
            conffile=call.options.get("--conf") or f"/etc/ceph/{call.options.get('--cluster', 'ceph')}.conf",
        )
        try:
            client.connect()
        except self._rados.Error:
            return None
        return client

    def _ioctx(self, call: _Call, pool: str) -> Any:
        client = self._connected(call)
        if client is None:
            raise _Failure("rbd: couldn't connect to the cluster!", errno.ENOENT)
        try:
            return client.open_ioctx(pool)
        except self._rados.Error as error:
            text = f"rbd: error opening pool '{pool}': (2) No such file or directory"
            raise _Failure(text, errno.ENOENT) from error

    def _image(self, call: _Call, pool: str, name: str) -> Any:
        try:
            return self._rbd.Image(self._ioctx(call, pool), name, read_only=True)
        except self._rbd.OSError as error:
            reason = os.strerror(error.errno)
            raise _Failure(f"rbd: error opening image {name}: ({error.errno}) {reason}", error.errno) from error


def _parsed(arguments: Sequence[str]) -> _Call:
    call = _Call()
    rest = [str(argument) for argument in arguments]
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            call.words.append(word)
        elif word in _FLAGS:
            call.options[word] = ""
        elif name in _VALUED and (equals or rest):
            call.options[{"-p": "--pool", "-c": "--conf"}.get(name, name)] = value if equals else rest.pop(0)
        else:
            raise _Failure(f"unrecognised option '{word}'", 1)
    return call


def _deprecations(command: str, call: _Call) -> str:
    """What ``rbd import`` says of old options, after everything else."""
    if command != "import":
        return ""
    old = {name: hint for name, hint in (_FLAGS | _VALUED).items() if hint and name in call.options}
    lines = [f"rbd: {name} is deprecated, {hint}\n" for name, hint in old.items()]
    if "--pool" in call.options:
        lines.append("rbd: -p [ --pool ] is deprecated, use --dest-pool\n")
    return "".join(lines)


def _progress(doing: str, size: int) -> str:
    """A line that overwrites itself whenever another object makes another percent."""
    shown = sorted({offset * 100 // size for offset in range(CHUNK, size, CHUNK)} - {0})
    return (
        "".join(f"\r{doing}: {percent}% complete..." for percent in shown)
        + f"\r{doing}: 100% complete...done.\n"
    )


def _failed(doing: str, command: str, number: int) -> str:
    return f"\r{doing}: 0% complete...failed.\nrbd: {command} failed: ({number}) {os.strerror(number)}"


def _document(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


def _clock(time: datetime) -> str:
    """As ``rbd`` writes times, on a machine in UTC."""
    return time.replace(tzinfo=UTC).strftime("%a %b %e %H:%M:%S %Y")
