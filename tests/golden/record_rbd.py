"""Runs the calls of ``rbd.jsonl`` on a real cluster, and says what came out differently.

    python -m tests.golden.record_rbd /etc/ceph/ceph.conf [--scenario NAME]...

needs librados and librbd with their Python bindings, a cluster of your own with ``mon_allow_pool_delete``, and
a user ``client.cinder`` (any, where the cluster authenticates nobody). **All pools of the recorded names are
deleted and made anew for each scenario.** Scenarios in which daemons were stopped are left out, as is in others
what the recorder did by hand (`rbd_replay.UNSEEN`): expect differences after it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.golden.rbd_replay import POOLS, Replay, scenarios

HERE = Path(__file__).parent


class RealReplay(Replay):
    """A scenario on the cluster that `conffile` leads to, through the given modules."""

    def __init__(
        self, name: str, rows: list[dict[str, Any]], conffile: str, rados: ModuleType, rbd: ModuleType
    ) -> None:
        self.start(name, rows)
        self.conffile = conffile
        self.rados, self.rbd = rados, rbd

    def reset(self) -> None:
        """Empty pools of the recorded names."""
        client = self._client("")
        for pool in POOLS:
            if client.pool_exists(pool):
                words = {"prefix": "osd pool delete", "pool": pool, "pool2": pool}
                answer = client.mon_command(json.dumps({**words, "yes_i_really_really_mean_it": True}), b"")
                if answer[0]:
                    raise SystemExit(f"pool {pool} cannot be deleted: {answer[2]}")
                client.wait_for_latest_osdmap()
            client.create_pool(pool)

    def close(self) -> None:
        """Let go of all images, and of the cluster."""
        for image in self.images:
            if image is not None:
                image.close()
        for client in (*self.clients.values(), *self.stack):
            client.shutdown()

    def _client(self, label: str) -> Any:
        if label not in self.clients:
            client = self.rados.Rados(rados_id="cinder", conffile=self.conffile)
            client.connect()
            self.clients[label] = client
        return self.clients[label]

    def _let_monitors_answer(self, answer: bool) -> None:
        if not answer:
            raise RuntimeError("daemons are not stopped here")

    def _unseen(self, index: int, row: dict[str, Any]) -> None:
        """Nothing is done by hand."""

    def _close_what_was_closed(self, index: int, row: dict[str, Any]) -> None:
        if row["call"]["method"] in ("remove", "trash_remove", "trash_purge") and "exc" not in row:
            for number, image in enumerate(self.images, start=1):
                if image is not None and self._last_use(number) < index:
                    image.close()

    def _call(self, call: dict[str, Any]) -> Any:
        if call["on"] == "rados" and "conffile" in call.get("kwargs", {}):
            call = {**call, "kwargs": {**call["kwargs"], "conffile": self.conffile}}
        return super()._call(call)

    def _last_trashed(self, ioctx: Any, name: str) -> str:
        try:
            with self.rbd.Image(ioctx, name, read_only=True) as image:
                return str(image.id())
        except self.rbd.Error:
            return ""

    def _ids(self) -> set[str]:
        return {
            entry["id"]
            for pool in POOLS
            for entry in self.rbd.RBD().trash_list(self._client("").open_ioctx(pool))
        }

    def _command(self, call: dict[str, Any], arguments: list[Any]) -> dict[str, Any]:
        words = [self.conffile if word == "/etc/ceph/ceph.conf" else str(word) for word in arguments]
        done = subprocess.run([call["method"], *words], input=self.stdin, capture_output=True, check=False)
        return {"rc": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}


def main() -> int:
    """Exit status 0 if everything came out as before, 1 if not, 2 for wrong usage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("conffile")
    parser.add_argument("--scenario", action="append", default=[], metavar="NAME")
    options = parser.parse_args()
    if not Path(options.conffile).is_file():
        parser.error(f"there is no file {options.conffile}; give the ceph.conf of a cluster of your own")
    try:
        rados, rbd = importlib.import_module("rados"), importlib.import_module("rbd")
    except ImportError as error:
        parser.error(f"{error}; install python3-rados and python3-rbd and run their interpreter")
    recorded = scenarios(HERE / "rbd.jsonl")
    unknown = set(options.scenario) - recorded.keys()
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(recorded)}")
    different = 0
    for name, rows in recorded.items():
        if name not in (options.scenario or recorded):
            continue
        if any(" stopped" in row.get("note", "") for row in rows):
            print(f"{name}: left out, daemons were stopped in it")
            continue
        replay = RealReplay(name, rows, options.conffile, rados, rbd)
        replay.reset()
        tally = replay.run()
        replay.close()
        print(f"{name}: {tally.agreed} as recorded, {len(tally.differences)} not, {tally.tolerated} left out")
        for step, expected, actual in tally.differences:
            print(f"  {step}\n    {expected}\n    {actual}")
        different += len(tally.differences)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
