"""What a driver can do, so that laws about the rest are skipped with a reason.

A subject may say so itself (`Subject.capabilities`). Otherwise it is found out: by what the driver reports, by
which methods it has of its own, and, where only trying tells, by trying.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.bench import Bench, Lacking
from conformance.foreign.guard import contained
from conformance.grounds import in_files
from conformance.properties import inventory
from conformance.subjects import Subject

Probe = Callable[[Subject, int], str]
"""Why the driver lacks a capability; empty if it has it."""


class Capabilities:
    """The capabilities of one subject; each is found out once, when a law first asks."""

    def __init__(self, subject: Subject, seed: int = 0) -> None:
        self._subject = subject
        self._seed = seed
        self._known: dict[str, str] = {}

    def lacks(self, name: str) -> str:
        """Why the driver lacks it; empty if it does not."""
        if name not in self._known:
            self._known[name] = self._find_out(name)
        return self._known[name]

    def _find_out(self, name: str) -> str:
        said = self._subject.capabilities.get(name)
        if said is True:
            return ""
        if said is not None:
            return said or f"{self._subject.name} is said to lack {name}"
        return PROBES[name](self._subject, self._seed)


def _own(*methods: str) -> Probe:
    """The driver has these methods of its own, not only those of the interface."""

    def probe(subject: Subject, seed: int) -> str:
        for method in methods:
            if not subject.has(method):
                return f"{subject.driver.__name__} has no {method}"
        return ""

    return probe


def _tried(action: Callable[[Bench], Any], *methods: str) -> Probe:
    """The driver has the methods, and does not say NotImplementedError. What else it raises is for the laws."""

    def probe(subject: Subject, seed: int) -> str:
        if reason := _own(*methods)(subject, seed):
            return reason
        with contained():
            bench = None
            try:
                bench = Bench(subject, seed)
                action(bench)
            except (NotImplementedError, Lacking) as error:
                return f"{methods[0]} is not implemented: {error}".removesuffix(": ").replace(
                    f"{methods[0]} is not implemented: {methods[0]}", methods[0]
                )
            except Exception:  # noqa: BLE001 (it is tried again by laws, which will say)
                return ""
            finally:
                if bench is not None:
                    bench.close()
        return ""

    return probe


def _reported(key: str, absent: bool, text: str) -> Probe:
    """The driver's stats, or any of its pools, say so."""

    def probe(subject: Subject, seed: int) -> str:
        with contained():
            bench = None
            try:
                bench = Bench(subject, seed)
                stats = bench.driver.get_volume_stats(refresh=True)
                said = [each.get(key, stats.get(key, absent)) for each in stats.get("pools") or [stats]]
            except Exception:  # noqa: BLE001 (laws about stats will say)
                return "the driver's stats cannot be read"
            finally:
                if bench is not None:
                    bench.close()
        return "" if any(each is True for each in said) else text

    return probe


def _path(subject: Subject, seed: int) -> str:
    return "" if subject.path is not None else "there is no data path to the driver's volumes"


def _neighbour(subject: Subject, seed: int) -> str:
    return (
        ""
        if subject.neighbour is not None
        else "nobody says how to configure a second back-end on this storage"
    )


def _own_twin(subject: Subject, seed: int) -> str:
    known = subject.plan.kind != "other"
    return "" if known else "nobody says whether two back-ends of this driver are on one storage system"


def _other_storage(subject: Subject, seed: int) -> str:
    """The twin of a driver of its own making is known to have other storage only if that is a fake array."""
    known = subject.plan.kind != "other" or subject.plan.array is not None
    return "" if known else "nobody says how to configure a back-end on other storage"


def _in_memory(subject: Subject, seed: int) -> str:
    return "" if subject.ground is not in_files else "to fill storage in files takes as much memory"


def _inventory(subject: Subject, seed: int) -> str:
    with contained():
        bench = None
        try:
            bench = Bench(subject, seed)
            told = inventory(bench.world, bench.plan, bench.driver) is not None
        except Exception:  # noqa: BLE001 (laws will say)
            told = True
        finally:
            if bench is not None:
                bench.close()
    return (
        "" if told else "neither the driver nor a fake of its array tells what is in the back-end (objects())"
    )


def _snapshot(bench: Bench) -> None:
    bench.snapshot(bench.create())


def _clone(bench: Bench) -> None:
    bench.clone(bench.create())


def _revert(bench: Bench) -> None:
    volume = bench.create()
    bench.revert(volume, bench.snapshot(volume))


def _there(subject: Subject, seed: int) -> str:
    """What stands beside the driver, and not the driver: a subject says where there is none."""
    return ""


PROBES: dict[str, Probe] = {
    "simulated Cinder": _there,
    "data path": _path,
    "storage in memory": _in_memory,
    "inventory": _inventory,
    "twin on one system": _own_twin,
    "other storage": _other_storage,
    "neighbour": _neighbour,
    "snapshots": _tried(_snapshot, "create_snapshot", "delete_snapshot", "create_volume_from_snapshot"),
    "clones": _tried(_clone, "create_cloned_volume"),
    "revert": _tried(_revert, "revert_to_snapshot"),
    "image copies": _own("copy_volume_to_image", "copy_image_to_volume"),
    "image clones": _own("clone_image"),
    "manage": _own("manage_existing", "manage_existing_get_size"),
    "manage snapshots": _own("manage_existing_snapshot", "manage_existing_snapshot_get_size"),
    "manageable": _own("get_manageable_volumes", "get_manageable_snapshots"),
    "assisted migration": _own("migrate_volume"),
    "update_migrated_volume": _own("update_migrated_volume"),
    "retype": _own("retype"),
    "multiattach": _reported("multiattach", False, "the driver does not report multiattach"),
    "online extend": _reported("online_extend_support", True, "the driver reports online_extend_support False"),
    "consistent groups": _reported(
        "consistent_group_snapshot_enabled",
        False,
        "the driver does not report consistent_group_snapshot_enabled",
    ),
    "sparse copy": _reported("sparse_copy_volume", False, "the driver does not report sparse_copy_volume"),
    "thin": _reported(
        "thin_provisioning_support", False, "the driver does not report thin_provisioning_support"
    ),
}
