"""Replays recorded calls of librados' and librbd's Python bindings against the fake ones, step by step.

A step agrees if the fake returns the recorded result with its type, or raises an exception of the recorded
class with its number, text and arguments. What differs from one run to the next is masked on
both sides. The recorder did not write down when it closed an image: a handle that is not used again is closed
before a step that was recorded to need that. What else it did unseen is in `UNSEEN`. Steps that cannot agree
are in `TOLERATED`, each with its reason.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fake_backends.host.commands import HostCommands
from fake_backends.host.paths import Host
from fake_backends.nfs.share import Share
from fake_backends.rbd.bindings import Modules, modules
from fake_backends.rbd.bindings.client import Ioctx, Rados
from fake_backends.rbd.bindings.configuration import Configuration, User
from fake_backends.rbd.bindings.image import Image
from fake_backends.rbd.cluster import Cluster

GIB = 1 << 30
FSID = "11111111-2222-4333-8444-555555555555"
POOLS = ("volumes", "volumes2", "images", "backups", "device_health_metrics")
CINDER = User(writable=frozenset({"volumes", "volumes2", "backups"}), readable=frozenset({"images"}))
TOLERATED = {
    "segfault": "the compiled binding crashes its process",
    "hung": "the compiled binding waits for ever",
    "object traffic": "operations and objects of RADOS itself are not counted",
    "log": "the client library's own log, with times and addresses in memory, on ceph's stderr",
    "broken pipe": "what export-diff had written when import-diff gave up, which two processes race for",
    "salts": "luksDump shows salts, digests and iterations, which differ from container to container",
}
"""Why a step need not agree; `tolerated` says which."""

STDERR_KEPT = (1500, 3000)
"""The recorder kept so many characters, the last ones, of what a command wrote to its stderr."""

FILES = {
    "raw.img": {0: b"R" * 8192, 9 << 20: b"S" * 4096, (20 << 20) - 1: b"\0"},
    "raw2.img": {0: b"R" * 8192, 9 << 20: b"S" * 4096, (20 << 20) - 1: b"\0"},
    "odd.img": {0: b"O" * 1049089},
    "empty.img": {},
    "key": {0: b"key"},
    "cs.img": {(64 << 20) - 1: b"\0"},
    "r.img": {(4 << 20) - 1: b"\0"},
}
"""What the recorder put below /var/tmp: bytes by their offsets."""

TEMPORARY = "/var/tmp/cluster2/tmp/"
"""Where Cinder had its temporary files."""

STDIN = {("cli", 68): b"x" * 5000}
"""What the recorder gave to commands; of which bytes is not known."""


@dataclass
class Tally:
    """How a scenario went. `differences` are (step, recorded, fake)."""

    agreed: int = 0
    tolerated: int = 0
    differences: list[tuple[int, str, str]] = field(default_factory=list)


def scenarios(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each scenario, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        found.setdefault(row["scenario"], []).append(row)
    return found


def recorded_bytes(value: dict[str, Any]) -> bytes | None:
    """The bytes that a recorded value stands for, or None where only their hash is known."""
    length = value["$bytes"]
    candidates: list[bytes] = []
    if "hex" in value:
        candidates.append(bytes.fromhex(value["hex"]))
    if "fill" in value:
        candidates.append(bytes.fromhex(value["fill"]) * length)
    if "text" in value:
        candidates.append(value["text"].encode())
    if "runs" in value:
        candidates.append(b"".join(bytes.fromhex(one) * count for one, count in value["runs"]))
    if "head" in value:
        unit = bytes(range(1, 251))
        candidates.append((unit * (length // len(unit) + 1))[:length])
    for candidate in candidates:
        if hashlib.sha256(candidate).hexdigest() == value["sha256"]:
            return candidate
    return None


def _empty_trash(replay: Replay) -> None:
    replay.rbd.RBD().trash_purge(replay._client("").open_ioctx("volumes"))


def _make_foreign_image(replay: Replay) -> None:
    pool = replay.cluster.pool("volumes")
    if "foreign" not in pool:
        pool.create("foreign", 3 * GIB // 2)


def _open_foreign_image(replay: Replay) -> None:
    replay.guests["foreign"] = replay.rbd.Image(replay._client("guest").open_ioctx("volumes"), "foreign")


def _snapshot_foreign_image(replay: Replay) -> None:
    replay.cluster.pool("volumes").image("volume-00000000-0000-4000-8000-00000000001e").create_snapshot("fs")


def _keep_a_snapshot(replay: Replay) -> None:
    replay.cluster.pool("volumes").image("volume-00000000-0000-4000-8000-000000000046").create_snapshot("keep")


def _snapshot_before_deletion(replay: Replay) -> None:
    replay.cluster.pool("volumes").image("volume-00000000-0000-4000-8000-000000000051").create_snapshot("x")


def _mirror_image_by_image(replay: Replay) -> None:
    replay.cluster.pool("volumes").mirror_mode = 1


def _make_glance_image(replay: Replay) -> None:
    pool = replay.cluster.pool("images")
    if "img" not in pool:
        pool.create("img", 16 << 20, order=23).create_snapshot("snap")
        pool.image("img").protect_snapshot("snap")


UNSEEN: dict[tuple[str, int | str], Callable[[Replay], None]] = {
    ("trash", 45): _empty_trash,
    ("driver", r"-> driver manage_existing_get_size.*foreign"): _make_foreign_image,
    ("driver", r"# foreign is open elsewhere"): _open_foreign_image,
    ("driver", r"-> driver get_manageable_snapshots"): _snapshot_foreign_image,
    ("driver", r"-> driver migrate_volume\(.*00000046.*:volumes2"): _keep_a_snapshot,
    ("driver", r"-> driver delete_volume.*# delay 0, snapshot"): _snapshot_before_deletion,
    ("driver", r"# pool mirror mode image"): _mirror_image_by_image,
    ("driver", r"-> driver clone_image"): _make_glance_image,
}
"""What the recorder did between two steps. In the scenarios of Cinder's driver it is found by the note."""


class Replay:
    """One scenario on a cluster of its own."""

    def __init__(self, name: str, rows: list[dict[str, Any]]) -> None:
        self.start(name, rows)
        self.cluster = Cluster("ceph", size=12 * GIB)
        self.cluster.fsid = FSID
        self.now_s = 1_700_000_000
        self.cluster.now_s = lambda: self.now_s
        for pool in POOLS:
            self.cluster.create_pool(pool)
        options = {"rbd_default_clone_format": "2"} if name.endswith("_v2") else {}
        configuration = Configuration(self.cluster, options, {"cinder": CINDER})
        paths = {
            row["call"]["kwargs"]["conffile"]
            for row in rows
            if "call" in row and row["call"]["on"] == "rados" and "exc" not in row
        }
        files = dict.fromkeys((*paths, "/etc/ceph/ceph.conf"), configuration)
        for path in paths:
            if "/brickrbd_" in path:
                # os-brick writes the keyring that it was given, and names it.
                options = {**options, "keyring": "/var/tmp/cluster2/tmp/keyring"}
                files[path] = Configuration(self.cluster, options, {"cinder": CINDER})
        self.rados, self.rbd = modules(files)
        self.host = Host("cinder")
        self.host.mount("/var/tmp", Share("files", 1 << 44))
        for name_, parts in FILES.items():
            self.host.create(
                f"/var/tmp/{name_}", max((at + len(data) for at, data in parts.items()), default=0)
            )
            with self.host.opened(f"/var/tmp/{name_}") as file:
                for at, data in parts.items():
                    file.write(at, data)
        self.host.mount(TEMPORARY, Share("files", 1 << 44))
        self._put_files()
        self.machine = HostCommands(self.host, bindings=Modules(self.rados, self.rbd))

    def start(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Nothing is open or known yet."""
        self.name = name
        self.conffile = "/etc/ceph/ceph.conf"
        self.rows = rows
        self.tally = Tally()
        self.stdin = b""
        self.clients: dict[str, Rados] = {}
        self.stack: list[Rados] = []
        self.ioctx: Ioctx | None = None
        self.images: list[Image | None] = []
        self.known: dict[str, str] = {}
        self.labels = self._labels()
        self.guests: dict[str, Image] = {}
        self.last_trashed = ""

    def _put_files(self) -> None:
        """What Cinder put into its temporary files: images from Glance, LUKS containers, and passphrases."""
        for row in self.rows:
            call = row.get("call", {})
            words = [str(word) for word in call.get("args") or []]
            for word in words if call.get("on") == "cli" else ():
                for key in re.findall(rf"^secret,.*file=({TEMPORARY}\w+)", word):
                    self.host.write(key, b"key")
                if word.startswith(TEMPORARY) and not {"create", "export"} & {*words}:
                    self.host.create(word, GIB + 2068480 if "--dest-pool" in words else 20 << 20)
                    with self.host.opened(word) as file:
                        file.write(file.size - 1, b"\1")

    # --------------------------------------------------------------------------------------------- steps

    def run(self) -> Tally:
        """Every step."""
        for index, row in enumerate(self.rows):
            self._unseen(index, row)
            if "call" not in row:
                continue
            if tolerated(row) is not None:
                self.tally.tolerated += 1
                continue
            self._close_what_was_closed(index, row)
            self.stdin = STDIN.get((row["scenario"], row["step"]), b"")
            expected = self._expected(row)
            actual = self._actual(row)
            if expected.get("type") == "Image" and "class" in actual:
                self.images.append(None)
            if row["call"]["method"] in _COUNTS:
                expected, actual = _formless("", expected), _formless("", actual)
            if self._masked(expected) == self._masked(actual, learn=expected):
                self.tally.agreed += 1
            else:
                self.tally.differences.append(
                    (row["step"], json.dumps(expected)[:300], json.dumps(actual)[:300])
                )
        return self.tally

    def _labels(self) -> list[str]:
        """Who opened each image: the client that its later calls name."""
        found: dict[int, str] = {}
        for row in self.rows:
            on = row.get("call", {}).get("on", "")
            match = re.match(r"Image#(\d+)\(.*?\)(?: by ([^#]*))?", on)
            if match:
                found.setdefault(int(match[1]), match[2] or "")
        return [found.get(number, "") for number in range(1, max(found, default=0) + 1)]

    def _last_use(self, number: int) -> int:
        uses = [
            index
            for index, row in enumerate(self.rows)
            if row.get("call", {}).get("on", "").startswith(f"Image#{number}(")
        ]
        return max(uses, default=-1)

    def _close_what_was_closed(self, index: int, row: dict[str, Any]) -> None:
        """Close the handles of no further use before a step that needs them closed."""
        call = row["call"]
        if call["on"] == "cli" and call["args"][:1] == ["status"] and row["result"]["rc"] == 0:
            self._close_down_to(index, call, row["result"]["stdout"].count("cookie"))
        if "exc" in row and row["exc"]["class"] != "rbd.ImageHasSnapshots":
            if row["exc"]["class"] == "rbd.ImageBusy" and call["method"] == "remove":
                self._let_guest_open(call["args"][0]["$ioctx"], call["args"][1])
            return
        if call["method"] == "watchers_list" and len(row["result"]) > 1:
            return
        if call["method"] == "remove" and call["args"][1] in self.guests:
            self.guests.pop(call["args"][1]).close()
        if call["method"] not in ("remove", "trash_remove", "watchers_list", "list_lockers", "trash_purge"):
            return
        for number, image in enumerate(self.images, start=1):
            if image is not None and not image.closed and self._last_use(number) < index:
                if call["method"] == "remove" and image._handle.image.name != self._value(call["args"][1]):
                    continue
                if call["method"] == "trash_remove" and image._handle.image.id != self._value(call["args"][1]):
                    continue
                image.close()

    def _close_down_to(self, index: int, call: dict[str, Any], watchers: int) -> None:
        """Close idle handles, oldest first, until the image has as few watchers as were recorded."""
        name = call["args"][call["args"].index("--format=json") + 1]
        for number, image in enumerate(self.images, start=1):
            if image is None or image.closed or image._handle.image.name != name:
                continue
            if len(image._handle.image.watchers) > watchers and self._last_use(number) < index:
                image.close()

    def _let_guest_open(self, pool: str, name: str) -> None:
        """An image that was busy although no recorded handle was open was a guest's."""
        if name in self.cluster.pool(pool) and not self.cluster.pool(pool).image(name).watchers:
            self.guests[name] = self.rbd.Image(self._client("guest").open_ioctx(pool), name)

    def _unseen(self, index: int, row: dict[str, Any]) -> None:
        """What the recorder did between steps."""
        note = row.get("note", "")
        for step, act in UNSEEN.items():
            if (row["scenario"], row["step"]) == step or (
                row["scenario"].startswith("driver") and step[0] == "driver" and re.search(str(step[1]), note)
            ):
                act(self)
        waited = re.search(r"after (\d+) s\b", note)
        if waited:
            self.now_s += int(waited[1])
        if "call" not in row:
            if note == "OSD stopped" or note.startswith("after ceph osd down"):
                self.cluster.storage_answers = False
            elif note.startswith("OSD continued"):
                self.cluster.storage_answers = True
            elif note.startswith("MON stopped"):
                self.cluster.monitors_answer = False
        if note.startswith("-> driver") and not re.search("guest|open elsewhere|in use", note):
            for name in list(self.guests):
                self.guests.pop(name).close()
        if note == "guest holds the lock: True":
            for guest in self.guests.values():
                guest.write(b"guest", 0)
        previous = self.rows[index - 1] if index else {}
        if "access denied" in json.dumps(previous.get("result", "")):
            words = json.loads(previous["call"]["args"][0])
            self.cluster.pool(words["pool"]).set_quota(int(words["val"]))

    # ---------------------------------------------------------------------------------------- both sides

    def _expected(self, row: dict[str, Any]) -> dict[str, Any]:
        if "exc" in row:
            return {key: row["exc"].get(key) for key in ("class", "mro", "errno", "str", "args")}
        return {"result": row["result"], "type": row.get("result_type")}

    def _actual(self, row: dict[str, Any]) -> dict[str, Any]:
        call = row["call"]
        try:
            result = self._call(call)
            plain = _plain(result)
        except Exception as error:  # noqa: BLE001 - whatever the fake raises is compared
            return _described(error)
        if call["on"] == "cli" and len(row["result"].get("stderr", "")) in STDERR_KEPT:
            plain["stderr"] = plain["stderr"][-len(row["result"]["stderr"]) :]
        if call["method"] in _COUNTS or "result_type" not in row:
            return {"result": plain, "type": row.get("result_type")}
        return {"result": plain, "type": type(result).__name__}

    def _call(self, call: dict[str, Any]) -> Any:
        on, method = call["on"], call["method"]
        arguments = [self._value(each) for each in call.get("args") or []]
        if method.endswith("_by_id") or method in ("get_snap_timestamp", "snap_get_name"):
            arguments = [int(self.known.get(f"#{each}", str(each))) for each in arguments]
        if method in ("trash_remove", "trash_restore") and _ID.fullmatch(str(arguments[1])):
            # An id that was never shown is that of the image which was put aside last.
            arguments[1] = arguments[1] if arguments[1] in self._ids() else self.last_trashed
        if method == "trash_move":
            self.last_trashed = self._last_trashed(arguments[0], arguments[1]) or self.last_trashed
        named = {key: self._value(value) for key, value in (call.get("kwargs") or {}).items()}
        if on == "cli":
            return self._command(call, arguments)
        if on == "rados":
            client = self.rados.Rados(**named)
            self.stack.append(client)
            return client
        if on == "rbd":
            return self._opened(arguments, named)
        if method == "probe":
            return self._probe(arguments[0])
        target = self._target(on)
        if method == ".name":
            return target.name if on.startswith("Ioctx") else getattr(target, method[1:])
        if method.endswith("() type"):
            return str(type(getattr(target, method.removesuffix("() type"))()))
        if method.endswith("()"):
            return list(getattr(target, method.removesuffix("()"))(*arguments, **named))
        if method == "diff_iterate":
            return self._differences(target, arguments)
        result = getattr(target, method.partition("(")[0])(*arguments, **named)
        if on.startswith("Rados"):
            if method == "shutdown" and target in self.stack and len(self.stack) > 1:
                self.stack.remove(target)
            elif method == "open_ioctx":
                self.ioctx = result
        return result

    def _command(self, call: dict[str, Any], arguments: list[Any]) -> dict[str, Any]:
        if call["method"] == "pipe":
            first = self.machine.execute(arguments[0])
            second = self.machine.execute(arguments[1], first.stdout.encode("utf-8", "surrogateescape"))
            return {
                "rc1": first.rc, "stderr1": first.stderr,
                "rc2": second.rc, "stdout2": second.stdout, "stderr2": second.stderr,
            }  # fmt: skip
        done = self.machine.execute([call["method"], *arguments], self.stdin)
        return {"rc": done.rc, "stdout": done.stdout, "stderr": done.stderr}

    def _last_trashed(self, ioctx: Any, name: str) -> str:
        pool = ioctx.pool()
        return pool.image(name).id if name in pool else ""

    def _ids(self) -> set[str]:
        return {image_id for pool in self.cluster.pools.values() for image_id in pool.trash}

    def _opened(self, arguments: list[Any], named: dict[str, Any]) -> Image:
        number = len(self.images)
        label = self.labels[number] if number < len(self.labels) else ""
        pool = arguments[0].name
        image = self.rbd.Image(self._client(label).open_ioctx(pool), *arguments[1:], **named)
        self.images.append(image)
        opened: Image = image
        return opened

    def _target(self, on: str) -> Any:
        if on == "RBD()":
            return self.rbd.RBD()
        if on.startswith("Image#"):
            return self.images[int(re.match(r"Image#(\d+)", on)[1]) - 1]  # type: ignore[index]
        if on.startswith("Image("):
            with self.rbd.Image(self._client("").open_ioctx("volumes"), "v1") as image:
                pass
            return image
        if on.startswith("Ioctx"):
            return self.ioctx
        if on.startswith("Group("):
            return self.rbd.Group(self._client("").open_ioctx("volumes"), on[6:-1])
        if not self.stack:
            self.stack.append(self._client(""))
        return self.stack[-1]

    def _client(self, label: str) -> Rados:
        """A connected client for each name that the recorder gave; daemons that are down are no hindrance."""
        if label not in self.clients:
            client = self.rados.Rados(rados_id="cinder", conffile="/etc/ceph/ceph.conf")
            up, self.cluster.monitors_answer = self.cluster.monitors_answer, True
            client.connect()
            self.cluster.monitors_answer = up
            self.clients[label] = client
        return self.clients[label]

    def _connected(self, user: str, options: dict[str, int]) -> Rados:
        client: Rados = self.rados.Rados(rados_id=user, conffile=self.conffile)
        for option, value in options.items():
            client.conf_set(option, str(value))
        client.connect()
        return client

    def _differences(self, image: Image, arguments: list[Any]) -> list[Any]:
        found: list[Any] = []
        size = image.size()
        offset, length, older = arguments[:3]
        length = size if length == "$size" else length
        image.diff_iterate(offset, length, older, lambda *extent: found.append(list(extent)))
        return [*found, 1] if arguments[1] == "$size" else found

    def _let_monitors_answer(self, answer: bool) -> None:
        self.cluster.monitors_answer = answer

    def _probe(self, code: str) -> dict[str, Any]:
        """Run what the recorder ran in a process of its own."""
        self._let_monitors_answer(True)
        client = self._connected("cinder", {})
        names: dict[str, Any] = {
            "c": client,
            "io": client.open_ioctx("volumes"),
            "rbd": self.rbd,
            "M": 1 << 20,
            "G": GIB,
        }
        names["conn"] = lambda user, **options: self._connected(user, options)
        names["stop"] = lambda: self._let_monitors_answer(False)
        code = re.sub(r"os\.kill\(\d+, signal\.SIGSTOP\)", "stop()", code)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            try:
                exec(code, names)  # a recorded probe is a piece of Python
            except Exception as error:  # noqa: BLE001 - whatever the fake raises is compared
                print(json.dumps(_described(error)))
            else:
                print("no exception")
        return {"exit": 0, "stdout": output.getvalue(), "stderr": ""}

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            if "$ioctx" in value:
                return self._client("").open_ioctx(value["$ioctx"])
            if "$bytes" in value:
                return recorded_bytes(value)
            if "$callback" in value:
                return lambda *_: None
        if isinstance(value, str):
            return self.known.get(value, value)
        return value

    # -------------------------------------------------------------------------------------- volatile parts

    def _masked(self, side: dict[str, Any], learn: dict[str, Any] | None = None) -> Any:
        """A side without what differs from run to run; ids of the recording are learned on the way."""
        if learn is not None:
            self._learn(learn.get("result"), side.get("result"))
        return _masked(side)

    def _learn(self, recorded: Any, ours: Any, key: str = "") -> None:
        """Remember which of our ids stands for a recorded one."""
        if isinstance(recorded, dict) and isinstance(ours, dict):
            for name in recorded.keys() & ours.keys():
                self._learn(recorded[name], ours[name], name)
        elif isinstance(recorded, list) and isinstance(ours, list):
            for one, other in zip(recorded, ours, strict=False):
                self._learn(one, other, key)
        elif key == "id" and isinstance(recorded, int) and isinstance(ours, int):
            self.known[f"#{recorded}"] = str(ours)
        elif isinstance(recorded, str) and isinstance(ours, str) and _ID.fullmatch(recorded):
            self.known[recorded] = ours


def tolerated(row: dict[str, Any]) -> str | None:
    """The reason in `TOLERATED` for which a step need not agree, or None."""
    call = row["call"]
    if call["on"] == "cli":
        return _tolerated_command(call["method"], call["args"], row["result"])
    if call["method"] == "probe":
        status = row["result"]["exit"]
        return None if status == 0 else "segfault" if status == -11 else "hung"
    if call["method"] == "get_stats":
        return None if "exc" in row else "object traffic"
    return None


def _tolerated_command(name: str, arguments: list[Any], result: dict[str, Any]) -> str | None:
    if name == "pipe":
        return "broken pipe" if result["rc1"] == errno.EPIPE else None
    if name == "ceph":
        return "log" if "nobody" in arguments else None
    if name == "cryptsetup":
        return "salts" if "luksDump" in arguments else None
    return None


_ID = re.compile(r"[0-9a-f]{10,13}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_VOLATILE = {"id", "pool", "addr", "cookie", "owner", "global_id", "deletion_time", "deferment_end_time"}
_COUNTS = {"get_instance_id", "get_cluster_stats", "snap_get_id", "data_pool_id"}
"""Numbers that no two clusters share. BlueStore's own use of space is not modelled."""


def _without_figures(document: dict[str, Any]) -> Any:
    """What a monitor says, without numbers of usage, and of its pools the form of the first."""
    if "mons" in document:
        made = {"modified": "time", "created": "time"}
        document = document | made | {"mons": sorted(document["mons"][0]), "quorum": "ranks"}
    if "pools" in document:
        document = document | {"pools": [document["pools"][0] | {"name": "pool"}], "stats_by_class": {}}
    return {key: _formless(key, value) for key, value in document.items()}


def _formless(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _formless(name, part) for name, part in value.items()}
    if isinstance(value, list):
        return [_formless(key, part) for part in value]
    return value if key.startswith("quota") or not isinstance(value, (int, float)) else "number"


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        if "$bytes" in value:
            text = value.get("text", "")
            if text.startswith("{"):
                return _without_figures(json.loads(text))
            return value["$bytes"], value["sha256"]
        if "$datetime" in value:
            return "time"
        return {
            key: "volatile" if key in _VOLATILE and part not in (-1, "") else _masked(part)
            for key, part in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_masked(part) for part in value]
    if isinstance(value, str):
        if value.lstrip().startswith('{"epoch"') or value.lstrip().startswith('{"stats"'):
            return _without_figures(json.loads(value))
        value = re.sub(r'"(cookie|client)":\d+', r'"\1":n', value)
        value = re.sub(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}", "time", value)
        value = re.sub(r"rbd_data\.(\d+\.)?[0-9a-f]+", "rbd_data.id", value)
        value = re.sub(r"\.group\.[0-9a-f_]+", ".group.id", value)
        value = re.sub(r"client\.\d+", "client.n", value)
        value = re.sub(r"auto \d+", "auto n", value)
        value = re.sub(r"[\d.]+:0/\d+", "address", value)
        return _ID.sub("id", value)
    return value


def _plain(value: Any) -> Any:
    """A result as the recorder writes it down."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        plain: dict[str, Any] = {"$bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
        if value.startswith(b"{"):
            plain["text"] = value.decode()
        return plain
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat(), "tz": "None"}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if type(value).__name__ == "Version":
        return {"$repr": "Version"}
    if isinstance(value, tuple):
        return {"$tuple": [_plain(part) for part in value]}
    if type(value).__name__ == "Image":
        return {"$image": True}
    if type(value).__name__ == "Rados":
        return {"$rados": True}
    if type(value).__name__ == "Ioctx":
        return {"$ioctx": value.name}
    return [_plain(part) for part in _each(value)]


def _each(value: Any) -> Iterator[Any]:
    return iter(value)


def _described(error: BaseException) -> dict[str, Any]:
    """An exception as the recorder writes it down."""
    kind = type(error)
    return {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "mro": [each.__name__ for each in kind.__mro__ if each is not object],
        "errno": getattr(error, "errno", None),
        "str": str(error),
        "args": [_plain(each) for each in error.args],
    }
