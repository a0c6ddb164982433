"""A subject: the driver that is put to the test, how it is configured, and what stands beside it.

The driver's back-end never stands alone. Beside it are a *twin*, the same driver over other storage, a
*neighbour*, the same driver over the same storage, and *partners*, the reference back-ends, so that volumes can
come from somewhere and go somewhere.
"""

from __future__ import annotations

import hashlib
import inspect
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conformance.grounds import Ground, Simulated, cloud_in_files, in_files, simulated_cloud
from fake_backends.array import load as load_array
from fake_backends.block_store import BlockDevice
from fake_backends.connectors import connect
from fake_backends.world import World
from harness import registry
from harness.certificates import LawResult
from harness.control_plane.deployment import BackendPlan, Deployment, load
from harness.driver import Configuration, VolumeDriver
from harness.errors import InputError
from harness.model import ConnectionInfo, Connector
from harness.signatures import Call, signature_of
from harness.sim.simulation import Simulation


class OpenDevice:
    """What a data path gives: a device to read and write, until it is closed."""

    def __init__(self, device: BlockDevice, close: Callable[[], None]) -> None:
        self.device = device
        self.close = close


DataPath = Callable[[World, ConnectionInfo, Connector], OpenDevice]
"""From what `initialize_connection` returned to a device, on the host of the connector."""

REFERENCES = {
    "lvm": "lvm-a", "lvm-thin": "lvm-thin", "rbd": "rbd-a", "nfs": "nfs-a", "nfs-qcow2": "nfs-qcow2",
    "lvm-file": "lvm-a", "lvm-thin-file": "lvm-thin", "rbd-file": "rbd-a", "nfs-file": "nfs-a",
}  # fmt: skip
"""Subjects that are known by a name, and the back-ends of the embedded deployment that they are.

Those whose names end with ``-file`` keep their bytes in the files of a directory (pyfakefs), and not in memory.
"""

PARTNERS = ("lvm-a", "rbd-a", "nfs-a")
_KEYWORDS = {
    "get_volume_stats": ("refresh",), "terminate_connection": ("force",), "before_volume_copy": ("remote",),
    "after_volume_copy": ("remote",), "update_group": ("add_volumes", "remove_volumes"),
    "failover_host": ("secondary_id", "groups"), "failover": ("secondary_id", "groups"),
}  # fmt: skip
"""What the manager passes by name (`cinder.volume.manager:VolumeManager`), and not by position."""
_OTHER_STORAGE: Mapping[str, Mapping[str, str]] = {
    "lvm": {"volume_group": "vg-twin"},
    "rbd": {"rbd_pool": "twin"},
    "nfs": {"nas_host": "192.0.2.101", "nas_share_path": "/srv/twin"},
}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What laws are checked against.

    `name` is how messages and reproducing commands call it. `plan` is the back-end under test. `neighbour` is
    None where nobody but the driver knows what its storage is. `path` is None for a driver whose data cannot
    be reached; laws about bytes are then skipped. `prepare` is called with every new world, before any driver
    is made: a fake of the driver's array is put there. `capabilities` overrides what is found out about the
    driver (`conformance.capabilities`): True, False, or why not. `ground` and `cloud` are where it lives
    (`conformance.grounds`). `configs`, `backend` and `array` are what it was made from, so that a certificate
    can say so.
    """

    name: str
    plan: BackendPlan
    deployment: Deployment
    twin: BackendPlan
    neighbour: BackendPlan | None
    partners: tuple[BackendPlan, ...]
    path: DataPath | None = None
    prepare: Callable[[World], None] | None = None
    capabilities: Mapping[str, bool | str] = field(default_factory=dict)
    ground: Callable[[Deployment, Simulation, int], Ground] = Simulated
    cloud: Callable[..., Any] = simulated_cloud
    configs: tuple[Path, ...] = ()
    backend: str | None = None
    array: str | None = None

    @property
    def driver(self) -> type[Any]:
        """The driver class."""
        return registry.load(self.plan.driver)

    @property
    def driver_path(self) -> str:
        """``package.module:Class``."""
        return self.plan.driver

    @property
    def version(self) -> str:
        """The driver's VERSION; empty if it has none."""
        return str(getattr(self.driver, "VERSION", ""))

    @property
    def digest(self) -> str:
        """SHA-256 of the source of the class and of those that it derives from, as far as there is any."""
        hashed = hashlib.sha256()
        for each in self.driver.__mro__:
            try:
                hashed.update(inspect.getsource(each).encode())
            except (OSError, TypeError):
                hashed.update(f"{each.__module__}.{each.__qualname__}".encode())
        return hashed.hexdigest()

    @property
    def cinder(self) -> str | None:
        """The release of Cinder that runs; None where none does."""
        return None

    @property
    def known(self) -> str | None:
        """The name of the list of its known failures (`conformance.xfail`); None without one."""
        return self.reference

    def has(self, method: str) -> bool:
        """Whether the driver has this method of its own, and not only that of the interface."""
        definer = next((each for each in self.driver.__mro__ if method in vars(each)), None)
        return definer is not None and not self.is_interface(definer)

    def masked(self, result: LawResult) -> LawResult:
        """What came of a law, without secrets. Nothing here is one."""
        return result

    def calls(self) -> list[Call]:
        """How the manager calls each method of the interface."""
        found = []
        for name, function in inspect.getmembers(VolumeDriver, inspect.isfunction):
            if name.startswith("_"):
                continue
            keywords = _KEYWORDS.get(name, ())
            places = [each for each in signature_of(function, bound=False) if each.kind == "positional"]
            passed = [each for each in places if each.name not in keywords]
            found.append(Call(name, len(passed), keywords))
        return found

    def is_interface(self, each: type[Any]) -> bool:
        """Whether a class that the driver derives from only says what methods there are."""
        return each is VolumeDriver

    @property
    def reference(self) -> str | None:
        """The reference subject that this is, or is derived from; None for a driver of its own making."""
        if self.plan.kind == "lvm":
            return "lvm-thin" if self.plan.thin else "lvm"
        if self.plan.kind == "nfs":
            return "nfs-qcow2" if self.plan.qcow2 else "nfs"
        return "rbd" if self.plan.kind == "rbd" else None

    @property
    def is_reference(self) -> bool:
        """True for the reference drivers themselves, False for what is derived from them."""
        return self.plan.driver in registry.KINDS


def disk(world: World, info: ConnectionInfo, connector: Connector) -> OpenDevice:
    """The built-in data path: iscsi, rbd and nfs, as a compute host has them."""
    connection = connect(world, info, connector)
    try:
        return OpenDevice(connection.disk(), connection.disconnect)
    except Exception:
        connection.disconnect()
        raise


def subject(
    driver: str | type[Any],
    *,
    configs: Sequence[Path] = (),
    backend: str | None = None,
    array: str | None = None,
    options: Mapping[str, object] | None = None,
    path: DataPath | None = disk,
    prepare: Callable[[World], None] | None = None,
    capabilities: Mapping[str, bool | str] | None = None,
) -> Subject:
    """The subject of that name: ``lvm``, ``lvm-thin``, ``rbd``, ``nfs``, ``nfs-qcow2``, or a driver's path.

    `configs` are cinder.conf files in which a section has this driver; `backend` picks one of several.
    `array` is the class of a fake of its array (`fake_backends.array`), ``package.module:Class``. `options` are
    set over what the section has. Raises InputError, in one line.
    """
    name = f"{driver.__module__}:{driver.__qualname__}" if isinstance(driver, type) else driver
    known = Deployment.default()
    if configs:
        plan, deployment = _configured(name, configs, backend)
    elif name in REFERENCES:
        plan, deployment = known.backend(REFERENCES[name]), known
    else:
        plan, deployment = _unconfigured(registry.find(name), known), known
    if array is not None:
        load_array(array)
        plan = replace(plan, array=array, array_name="subject", container="array subject")
    configuration = {**plan.configuration, "volume_backend_name": "subject", **(options or {})}
    if plan.array is not None:
        configuration["crucible_array_name"] = plan.array_name
    plan = replace(
        plan,
        name="subject",
        configuration=Configuration(plan.section, configuration),
        volume_backend_name="subject",
        pool="subject",
    )
    return Subject(
        name=name,
        plan=plan,
        deployment=deployment,
        twin=_beside(plan, "twin", _OTHER_STORAGE.get(plan.kind, {})),
        neighbour=_beside(plan, "neighbour", {}) if plan.kind != "other" or plan.array else None,
        partners=tuple(_partner(known.backend(each), plan) for each in PARTNERS),
        path=path,
        prepare=prepare,
        capabilities=dict(capabilities or {}),
        configs=tuple(configs),
        backend=backend,
        array=array,
        ground=in_files if name.endswith("-file") else Simulated,
        cloud=cloud_in_files if name.endswith("-file") else simulated_cloud,
    )


def _configured(name: str, configs: Sequence[Path], backend: str | None) -> tuple[BackendPlan, Deployment]:
    """The section that has this driver."""
    deployment = load(configs)
    wanted = registry.find(REFERENCES.get(name, name).partition("-")[0] if name in REFERENCES else name)
    fitting = [plan for plan in deployment.backends if plan.driver == wanted]
    if backend is not None:
        fitting = [plan for plan in fitting if plan.name == backend]
    if not fitting:
        sections = ", ".join(plan.name for plan in deployment.backends)
        which = f"back-end {backend} with" if backend else "enabled back-end with"
        raise InputError(f"{configs[0]}: has no {which} the driver {name}; its back-ends are {sections}")
    if len(fitting) > 1:
        names = ", ".join(plan.name for plan in fitting)
        raise InputError(
            f"{configs[0]}: has {len(fitting)} back-ends with the driver {name} ({names}); pick one"
        )
    return fitting[0], deployment


def _unconfigured(driver: str, known: Deployment) -> BackendPlan:
    """A section that says no more than it must: the defaults of every option, and of the driver's own."""
    kind = registry.kind(driver)
    if kind in REFERENCES:
        return replace(known.backend(REFERENCES[kind]), driver=driver)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "cinder.conf"
        file.write_text(
            f"[DEFAULT]\nhost = node1\nenabled_backends = subject\n[subject]\nvolume_driver = {driver}\n"
        )
        return load([file]).backends[0]


def _beside(plan: BackendPlan, name: str, storage: Mapping[str, str]) -> BackendPlan:
    """The same driver in another service on the same node."""
    options = {**plan.configuration, "volume_backend_name": name, **storage}
    if plan.array is not None and name == "twin":
        # Other storage: an array of its own.
        options["crucible_array_name"] = name
        plan = replace(plan, array_name=name, container=f"array {name}")
    made = replace(
        plan,
        name=name,
        section=f"{plan.section}-{name}",
        configuration=Configuration(f"{plan.section}-{name}", options),
        volume_backend_name=name,
        pool=name,
    )
    if plan.kind == "lvm":
        return replace(made, container=f"{plan.node}/{options['volume_group']}")
    if plan.kind == "rbd":
        return replace(made, container=f"{plan.cluster}/{options['rbd_pool']}")
    if plan.kind == "nfs" and storage:
        share = f"{options['nas_host']}:{options['nas_share_path']}"
        return replace(made, container=share, shares=(share,))
    return made if plan.kind == "nfs" or plan.array is not None else replace(made, container=made.service)


def _partner(plan: BackendPlan, subject: BackendPlan) -> BackendPlan:
    """A reference back-end on the subject's node, with storage that nobody else has."""
    kind = plan.kind
    storage = {
        "lvm": {"volume_group": "vg-partner"},
        "rbd": {"rbd_pool": "partner", "rbd_cluster_name": "partner"},
        "nfs": {"nas_host": "192.0.2.101", "nas_share_path": "/srv/partner"},
    }[kind]
    beside = _beside(replace(plan, node=subject.node, host=subject.host), f"partner-{kind}", storage)
    if kind == "rbd":
        return replace(beside, cluster="partner", container="partner/partner")
    return beside
