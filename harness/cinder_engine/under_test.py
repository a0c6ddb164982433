"""The deployment around a driver that is put to the test on the real Cinder: one cinder.conf on one node.

``[subject]`` is the section of the driver as its user wrote it, or no more than the driver must have. Beside it
are a *twin*, the same driver over other storage, a *neighbour*, the same driver over the same storage, and as
*partners* Cinder's own LVM, RBD and NFS drivers, so that volumes can come from somewhere and go somewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness import registry
from harness.cinder_engine import foreign
from harness.control_plane import deployment as deployments
from harness.control_plane.deployment import BackendPlan, Deployment
from harness.errors import InputError

LVM = "cinder.volume.drivers.lvm.LVMVolumeDriver"
RBD = "cinder.volume.drivers.rbd.RBDDriver"
NFS = "cinder.volume.drivers.nfs.NfsDriver"
Section = Mapping[str, str]

_CEPH = {"rbd_user": "cinder", "rbd_ceph_conf": "/etc/ceph/ceph.conf"}
_SHARE = {"nas_secure_file_operations": "false", "nfs_snapshot_support": "true", "nas_host": "192.0.2.101"}
_LEAST: Mapping[str, Section] = {
    "lvm": {"volume_group": "cinder-volumes", "lvm_type": "default"},
    "rbd": {"rbd_pool": "volumes", **_CEPH},
    "nfs": {"nas_share_path": "/srv/volumes", **_SHARE},
}
"""What a section of such a driver says, for a driver of which nobody gave a cinder.conf."""
_OTHER_STORAGE: Mapping[str, Section] = {
    "lvm": {"volume_group": "vg-twin"},
    "rbd": {"rbd_pool": "twin"},
    "nfs": {"nas_host": "192.0.2.101", "nas_share_path": "/srv/twin"},
    "other": {"crucible_array_name": "twin"},
}
_PARTNERS: Mapping[str, Section] = {
    "partner-lvm": {"volume_driver": LVM, "volume_group": "vg-partner", "lvm_type": "default"},
    "partner-rbd": {
        "volume_driver": RBD, "rbd_pool": "partner", "rbd_cluster_name": "partner", "rbd_user": "cinder",
        "rbd_ceph_conf": "/etc/ceph/partner.conf",
    },
    "partner-nfs": {"volume_driver": NFS, "nas_share_path": "/srv/partner", **_SHARE},
}  # fmt: skip


def deployment(
    home: Path, driver: str, *, configs: Sequence[Path] = (), backend: str | None = None, options: Section
) -> Deployment:
    """The back-ends subject, twin, neighbour, partner-lvm, partner-rbd and partner-nfs.

    `home` is a directory for the file. `configs` are cinder.conf files in which a section has this driver,
    `backend` names one of several, and `options` are set over what it has. There is no neighbour where only
    the driver knows what its storage is. InputError, in one line, if the driver cannot be had or set up.
    """
    where, written = _configured(driver, configs, backend) if configs else ("", _named(driver))
    known = registry.KINDS.get(registry.REFERENCE_DRIVERS.get(driver.replace(":", "."), ""))
    least = _LEAST[known] if known is not None and not configs else {}
    section = {
        "target_helper": "lioadm", **least, **written, **options,
        "volume_backend_name": "subject", "crucible_array_name": "subject",
    }  # fmt: skip
    path = home / "cinder.conf"
    try:
        seen = _load(path, {"subject": section}, {}).backend("subject")
        if not configs and known is None and seen.kind != "other":
            section = {**_LEAST[seen.kind], **section}
        kinds = {seen.driver: seen.kind}
        sections = {"subject": section, "twin": _beside("twin", section, _OTHER_STORAGE[seen.kind])}
        if seen.kind != "other" or seen.array is not None:
            sections["neighbour"] = _beside("neighbour", section, {})
        sections |= {name: _beside(name, {}, partner) for name, partner in _PARTNERS.items()}
        loaded = _load(path, sections, kinds)
    except InputError as error:
        raise InputError(_told(str(error), f"{path}: [subject]", where)) from None
    backends = (_as_seen(plan, seen) if plan.kind == "other" else plan for plan in loaded.backends)
    return Deployment(loaded.nodes, tuple(backends))


def _named(driver: str) -> dict[str, str]:
    return {"volume_driver": registry.with_colon(driver).replace(":", ".")}


def _configured(driver: str, configs: Sequence[Path], backend: str | None) -> tuple[str, dict[str, str]]:
    """Where the section of this driver is, and what it says. InputError if there is not exactly one."""
    plans = deployments.load(configs, partial(foreign.recognise, {})).backends
    wanted = registry.with_colon(driver)
    fitting = [plan for plan in plans if registry.with_colon(plan.options["volume_driver"]) == wanted]
    if backend is not None:
        fitting = [plan for plan in fitting if plan.name == backend]
    if not fitting:
        which = f"back-end {backend} with" if backend else "enabled back-end with"
        names = ", ".join(plan.name for plan in plans)
        raise InputError(f"{configs[0]}: has no {which} the driver {driver}; its back-ends are {names}")
    if len(fitting) > 1:
        names = ", ".join(plan.name for plan in fitting)
        raise InputError(
            f"{configs[0]}: has {len(fitting)} back-ends with the driver {driver} ({names}); pick one with "
            "--backend"
        )
    return f"{configs[0]}: [{fitting[0].section}]", dict(fitting[0].options)


def _told(text: str, ours: str, where: str) -> str:
    """A complaint about our file as one about the user's, or about the driver where there is none."""
    return text.replace(ours, where) if where else text.removeprefix(f"{ours} volume_driver = ")


def _beside(name: str, section: Section, storage: Section) -> dict[str, str]:
    return {"target_helper": "lioadm", **section, "volume_backend_name": name, **storage}


def _load(path: Path, sections: Mapping[str, Section], kinds: Mapping[str, str]) -> Deployment:
    """The deployment of a file with these sections; drivers whose kind nobody knows are looked at."""
    text = f"[DEFAULT]\nhost = node1\nenabled_backends = {', '.join(sections)}\n"
    for name, options in sections.items():
        text += f"[{name}]\n" + "".join(f"{option} = {value}\n" for option, value in options.items())
    path.write_text(text, encoding="utf-8")
    return deployments.load([path], partial(foreign.recognise, kinds)) if kinds else foreign.load([path])


def _as_seen(plan: BackendPlan, seen: BackendPlan) -> BackendPlan:
    """What the driver was seen to be holds for its relatives, too; a pool may be called as the back-end is."""
    pool = plan.name if seen.pool == seen.volume_backend_name else seen.pool
    return replace(plan, pool=pool, thin=seen.thin, seen=seen.seen)
