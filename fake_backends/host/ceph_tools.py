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
from fake_backends.host import rbd_diffs, rbd_usage
from fake_backends.host.paths import Host
from fake_backends.lvm.host import close_device
from fake_backends.rbd.bindings import Modules
from fake_backends.rbd.bindings.client import Rados
from harness.errors import NotFound

VERSION = "ceph version 16.2.15 (618f440892089921c3e944a991122ddc44e60516) pacific (stable)\n"
_FLAGS = {
    "--new-format": "use --image-format 2",
    "--no-progress": "",
    "--allow-shrink": "",
    "--whole-object": "",
}
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
    "--from-snap": "",
    "--mon_host": "",
}


class _Failure(Exception):
    """`status` is both the number in the text and what the process exits with."""

    def __init__(self, text: str, number: int, *, stdout: str = "") -> None:
        super().__init__(text)
        self.number = number
        self.stdout = stdout


class _Bar:
    """A line of progress that overwrites itself when another percent is reached."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._percent = 0
        self._shown = ""

    def update(self, done: int, total: int) -> None:
        """So much is done."""
        percent = done * 100 // total if total else 0
        if percent != self._percent:
            self._percent = percent
            self._shown += f"\r{self._doing}: {percent}% complete..."

    def done(self) -> str:
        """All that was shown."""
        return f"{self._shown}\r{self._doing}: 100% complete...done.\n"

    def failed(self) -> str:
        """The same of what came to nothing."""
        return f"{self._shown}\r{self._doing}: {self._percent}% complete...failed.\n"


@dataclass
class _Call:
    words: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    stdin: bytes = b""

    def image(self) -> tuple[str, str]:
        """Pool and image: ``pool/image``, or the image with ``--pool``."""
        return self._spec(self.words[0])

    def snapshot(self, word: int = 0) -> tuple[str, str, str | None]:
        """Pool, image and snapshot: ``pool/image@snapshot``; None without the last part."""
        pool, name = self._spec(self.words[word])
        name, at, snapshot = name.partition("@")
        return pool, name, snapshot if at else None

    def _spec(self, spec: str) -> tuple[str, str]:
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
            "export-diff": self._export_diff,
            "import-diff": self._import_diff,
            "du": self._usage,
            "showmapped": self._mapped,
            "map": self._map,
            "unmap": self._unmap,
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

    def rbd(self, arguments: Sequence[str], stdin: bytes = b"") -> Result:
        """``rbd``. What is no text in its output stands there as surrogate escapes."""
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
            return Result("", f"error: unknown option '{' '.join(call.words)}'\n\n", 1)
        call.stdin = stdin
        del call.words[: name.count(" ") + 1]
        try:
            result = self._commands[name](call)
        except _Failure as failure:
            result = Result(failure.stdout, f"{failure}\n", failure.number)
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

    def _map(self, call: _Call) -> Result:
        pool, name = call.image()
        with self._image(call, pool, name):
            pass
        text = (
            "sh: 1: /sbin/modinfo: not found\nsh: 1: /sbin/modprobe: not found\n"
            "rbd: failed to load rbd kernel module (127)\nrbd: sysfs write failed\n"
            "rbd: map failed: (2) No such file or directory"
        )
        hint = 'In some cases useful info is found in syslog - try "dmesg | tail".\n'
        raise _Failure(text, errno.ENOENT, stdout=hint)

    def _unmap(self, call: _Call) -> Result:
        spec = call.words[0]
        if not spec.startswith("/dev/"):
            pool, name = call.image()
            reason = f"rbd: {pool}/{name}: not a mapped image or snapshot"
        elif self.host.exists(spec) and not self.host.is_file(spec):
            reason = f"rbd: '{spec}' is not an rbd device"
        else:
            reason = f"rbd: '{spec}' is not a block device"
        raise _Failure(f"{reason}\nrbd: unmap failed: (22) Invalid argument", errno.EINVAL)

    def _usage(self, call: _Call) -> Result:
        """``rbd du``: what each image and snapshot stores, in whole objects."""
        pool, name, snapshot = call.snapshot() if call.words else (call.options.get("--pool", "rbd"), "", None)
        ioctx = self._ioctx(call, pool)
        names = self._rbd.RBD().list(ioctx)
        if name and name not in names:
            text = f"specified image {name} is not found.\nrbd: du failed: (2) No such file or directory"
            raise _Failure(text, errno.ENOENT)
        rows: list[dict[str, Any]] = []
        warnings = ""
        for each in [name] if name else names:
            with self._rbd.Image(ioctx, each, read_only=True) as image:
                if not image.features() & self._rbd.RBD_FEATURE_FAST_DIFF:
                    warnings += f"warning: fast-diff map is not enabled for {each}. operation may be slow.\n"
                rows += rbd_usage.rows(image)
        if snapshot is not None:
            rows = [row for row in rows if row.get("snapshot") == snapshot]
        provisioned = sum(row["provisioned_size"] for row in rows if "snapshot" not in row)
        used = sum(row["used_size"] for row in rows)
        if call.options.get("--format") == "json":
            totals = {} if name else {"total_provisioned_size": provisioned, "total_used_size": used}
            return Result(_document({"images": rows, **totals}), warnings)
        return Result(rbd_usage.table(rows, provisioned, used), warnings)

    # ------------------------------------------------------------------------------------------- content

    def _export_diff(self, call: _Call) -> Result:
        pool, name, newer = call.snapshot()
        older = call.options.get("--from-snap")
        if len(call.words) < 2:
            raise _Failure("rbd: path was not specified", errno.EINVAL)
        path = call.words[1]
        bar = _Bar("Exporting image")
        with self._image(call, pool, name) as image:
            if newer is not None:
                try:
                    image.set_snap(newer)
                except self._rbd.OSError as error:
                    reason = f"({error.errno}) {os.strerror(error.errno)}"
                    raise _Failure(f"error setting snapshot context: {reason}", error.errno) from error
            stream = rbd_diffs.header(image, older, newer)
            self._new_file(path, "export-diff")
            try:
                whole = "--whole-object" in call.options
                stream += rbd_diffs.differences(image, older, bar.update, whole_object=whole)
            except self._rbd.OSError as error:
                reason = f"({error.errno}) {os.strerror(error.errno)}"
                text = f"{bar.failed()}rbd: export-diff error: {reason}"
                raise _Failure(text, error.errno, stdout=self._put(path, stream)) from error
        return Result(self._put(path, stream), bar.done())

    def _import_diff(self, call: _Call) -> Result:
        path = call.words[0]
        pool, name, _ = call.snapshot(1)
        bar = _Bar("Importing image diff")
        with self._image(call, pool, name, read_only=False) as image:
            try:
                stream = call.stdin if path == "-" else self.host.read(path)
            except NotFound as error:
                text = f"rbd: error opening {path}\nrbd: import-diff failed: (2) No such file or directory"
                raise _Failure(text, errno.ENOENT) from error
            try:
                rbd_diffs.apply(image, stream, bar.update, from_stdin=path == "-")
            except rbd_diffs.DiffError as error:
                text = (f"{error}\n" if str(error) else "") + (bar.failed() if error.begun else "")
                reason = f"({error.number}) {os.strerror(error.number)}"
                raise _Failure(f"{text}rbd: import-diff failed: {reason}", error.number) from error
        return Result("", bar.done())

    def _new_file(self, path: str, command: str) -> None:
        """An empty file that was not there; ``-`` is the standard output."""
        if path == "-":
            return
        if self.host.is_file(path):
            raise _Failure(f"rbd: {command} error: (17) File exists", errno.EEXIST)
        try:
            close_device(self.host.create(path, 0))
        except NotFound as error:
            raise _Failure(f"rbd: {command} error: (2) No such file or directory", errno.ENOENT) from error

    def _put(self, path: str, data: bytes) -> str:
        """Write a file, or give what goes to the standard output."""
        if path == "-":
            return data.decode("utf-8", "surrogateescape")
        self.host.write(path, data)
        return ""

    def _import_stdin(self, call: _Call, ioctx: Any, name: str) -> Result:
        try:
            self._rbd.RBD().create(ioctx, name, len(call.stdin), int(call.options.get("--order", "22")))
        except self._rbd.OSError as error:
            text = "rbd: image creation failed\n" + _failed("Importing image", "import", error.errno)
            raise _Failure(text, error.errno) from error
        with self._rbd.Image(ioctx, name) as image:
            for offset in range(0, len(call.stdin), PAGE):
                page = call.stdin[offset : offset + PAGE]
                if any(page):
                    image.write(page, offset)
        return Result("", _progress("Importing image", 0))

    def _import(self, call: _Call) -> Result:
        path = call.words[0]
        if "--dest-pool" in call.options or "--pool" in call.options:
            pool = call.options.get("--dest-pool") or call.options["--pool"]
        else:
            pool = "rbd"
        name = call.words[1] if len(call.words) > 1 else path.rpartition("/")[2]
        if "/" in name:
            pool, _, name = name.partition("/")
        ioctx = self._ioctx(call, pool)
        if path == "-":
            return self._import_stdin(call, ioctx, name)
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
            self._new_file(path, "export")
            size = image.size()
            if path == "-":
                return Result(self._put(path, image.read(0, size)), _progress("Exporting image", size))
            close_device(self.host.create(path, size))
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

    def _image(self, call: _Call, pool: str, name: str, *, read_only: bool = True) -> Any:
        try:
            return self._rbd.Image(self._ioctx(call, pool), name, read_only=read_only)
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
