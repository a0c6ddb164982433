"""What monitors answer to commands in JSON: the ones that Cinder gives, and a few that operators do."""

from __future__ import annotations

import errno
import json
from typing import Any

from fake_backends.rbd.bindings.configuration import User
from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.pool import Pool

Answer = tuple[int, bytes, str]


def answer(cluster: Cluster, user: User, command: str) -> Answer:
    """Status (0 or -errno), output and message."""
    if not cluster.monitors_answer:
        return -errno.ETIMEDOUT, b"", "timed out"
    try:
        words = json.loads(command)
    except ValueError:
        return -errno.EINVAL, b"", f"unparseable JSON {command}"
    match words.get("prefix"):
        case "df":
            return _output(usage(cluster))
        case "osd pool get-quota" | "osd pool set-quota" as prefix:
            name = words.get("pool", "")
            if prefix == "osd pool set-quota" and not user.administrator:
                return -errno.EACCES, b"", "access denied"
            if name not in cluster.pools:
                return -errno.ENOENT, b"", f"unrecognized pool '{name}'"
            pool = cluster.pools[name]
            return _output(_quota(pool)) if "get" in prefix else _set_quota(pool, words)
        case "mon dump":
            return 0, b"\n" + _json(monitor_map(cluster)) + b"\n", "dumped monmap epoch 1"
        case "fsid":
            return _output({"fsid": cluster.fsid})
        case _:
            return -errno.EINVAL, b"", "command not known"


def usage(cluster: Cluster) -> dict[str, Any]:
    """``ceph df --format=json``, in bytes."""
    total, used, free = cluster.statistics()
    figures = {
        "total_bytes": total,
        "total_avail_bytes": free,
        "total_used_bytes": used,
        "total_used_raw_bytes": used,
        "total_used_raw_ratio": used / total if total else 0.0,
    }
    pools = []
    for pool in cluster.pools.values():
        stored = pool.statistics().used
        pools.append(
            {
                "name": pool.name,
                "id": pool.number,
                "stats": {
                    "stored": stored,
                    "objects": pool.used_objects,
                    "kb_used": stored >> 10,
                    "bytes_used": stored,
                    "percent_used": stored / (stored + free) if stored else 0,
                    "max_avail": free,
                },
            }
        )
    daemons = {"num_osds": 1, "num_per_pool_osds": 1, "num_per_pool_omap_osds": 1}
    return {"stats": {**figures, **daemons}, "stats_by_class": {}, "pools": pools}


def monitor_map(cluster: Cluster) -> dict[str, Any]:
    """``ceph mon dump --format=json``: os-brick and Cinder take the addresses of `mons` from it."""
    monitors = []
    for rank, (host, port) in enumerate(cluster.monitors):
        address = f"{host}:{port}"
        vector = [
            {"type": "v2", "addr": f"{host}:3300", "nonce": 0},
            {"type": "v1", "addr": address, "nonce": 0},
        ]
        monitors.append(
            {
                "rank": rank,
                "name": chr(ord("a") + rank),
                "public_addrs": {"addrvec": vector},
                "addr": f"{address}/0",
                "public_addr": f"{address}/0",
                "priority": 0,
                "weight": 0,
                "crush_location": "{}",
            }
        )
    made = "2020-09-13T12:26:40.000000Z"
    return {
        "epoch": 1,
        "fsid": cluster.fsid,
        "modified": made,
        "created": made,
        "min_mon_release": 16,
        "min_mon_release_name": "pacific",
        "election_strategy": 1,
        "disallowed_leaders: ": "",
        "stretch_mode": False,
        "tiebreaker_mon": "",
        "removed_ranks: ": "",
        "features": {
            "persistent": [
                *("kraken", "luminous", "mimic", "osdmap-prune", "nautilus", "octopus", "pacific"),
                "elector-pinging",
            ],
            "optional": [],
        },
        "mons": monitors,
        "quorum": list(range(len(monitors))),
    }


def _quota(pool: Pool) -> dict[str, Any]:
    return {
        "pool_name": pool.name,
        "pool_id": pool.number,
        "quota_max_objects": 0,
        "current_num_objects": pool.used_objects,
        "quota_max_bytes": pool.max_bytes or 0,
        "current_num_bytes": pool.statistics().used,
    }


def _set_quota(pool: Pool, words: dict[str, Any]) -> Answer:
    if words.get("field") != "max_bytes":
        return -errno.EINVAL, b"", f"{words.get('field')} not in max_objects|max_bytes"
    pool.set_quota(int(words["val"]) or None)
    return 0, b"", f"set-quota max_bytes = {words['val']} for pool {pool.name}"


def _output(document: dict[str, Any]) -> Answer:
    return 0, _json(document) + b"\n", ""


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
