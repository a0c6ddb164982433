"""From cinder.conf files to the plan of a deployment: nodes, back-ends, and the storage under them.

One file is one node. What a file cannot say is fixed here: the machine's name is ``node<n>`` (n counts the
files from 1) where the option `host` is not set, and its address is ``192.0.2.<n>`` where `my_ip` is not
set; every volume group has `VOLUME_GROUP_SIZE` bytes, and Cinder's thin pool if one of its back-ends is
thin; a Ceph cluster is the one that rbd_cluster_name names
(no ceph.conf is read), and has the size that `fake_backends.rbd.cluster` gives it; an NFS share has
`SHARE_SIZE` bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from fake_backends import array
from fake_backends.files.directory import Directory
from fake_backends.lvm.names import legal
from fake_backends.lvm.provisioning import ensure_pool
from fake_backends.nfs.shares_config import read_shares
from fake_backends.world import World
from harness import registry
from harness.control_plane import default_deployment
from harness.control_plane.configuration import SHARED_SECTION, ConfigurationFile
from harness.control_plane.pools import DEFAULT_POOL
from harness.driver import Configuration, VolumeDriver
from harness.errors import InputError, NfsException
from harness.sim.points import QUIET, Points
from harness.sim.seeds import stream

TIB = 1 << 40
VOLUME_GROUP_SIZE = 10 * TIB + (4 << 20)
"""One extent more than 10 TiB: lvm2 keeps the first MiB of a physical volume for itself."""
SHARE_SIZE = 10 * TIB
_BACKEND_NAMES = {"lvm": "LVM", "rbd": "RBD", "nfs": "Generic_NFS", "other": ""}
"""What a driver calls itself where volume_backend_name is not set."""

_DEFAULT_FILES = ("node1.conf", "node2.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """One machine that runs volume services. `options` are those of its ``[DEFAULT]`` section."""

    file: str
    host: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What somebody's driver was seen to be when it was set up once; its configuration does not tell.

    `retypes` and `migrates`: it has methods of its own for that. `multiattach` and `thin` are what it reports,
    `measured` is False where its free space is no number. `failure` says why it could not be set up.
    """

    driver: str
    retypes: bool = False
    migrates: bool = False
    multiattach: bool = False
    thin: bool = False
    measured: bool = True
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendPlan:
    """One enabled back-end, as configured: nothing here comes from a running driver.

    `name` is the section where no other node has a back-end of that name, else ``section@host``. `node` is
    the machine, `host` the first part of the service's address: the same unless backend_host is set.
    `driver` is ``package.module:Class``. `container` is where the objects live, ``<node>/<volume group>``,
    ``<cluster>/<pool>`` or the exports of `shares`, and the service for drivers that are derived from no
    reference driver; `thin` is False for those. `shares` are the NFS exports (``address:/path``).

    `options` is the section as it is written, with what it has from ``[backend_defaults]``. `array` is the
    class of the fake that the driver talks to (crucible_array), ``package.module:Class``, and `array_name` what
    it is called: back-ends with one name have one array. `seen` is what a driver that Crucible does not know
    was seen to be. `service_cluster` is ``cluster@section`` where services of several nodes share the work.
    """

    name: str
    section: str
    node: str
    host: str
    driver: str
    configuration: Configuration
    availability_zone: str
    volume_backend_name: str
    pool: str
    kind: Literal["lvm", "rbd", "nfs", "other"]
    thin: bool
    container: str
    cluster: str | None
    shares: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    array: str | None = None
    array_name: str = ""
    seen: Seen | None = None
    service_cluster: str | None = None

    @property
    def foreign(self) -> bool:
        """True if the driver is somebody else's, be it derived from a reference driver."""
        return self.driver not in registry.KINDS

    @property
    def qcow2(self) -> bool:
        """True if the volumes are qcow2 files (nfs_qcow2_volumes)."""
        return self.kind == "nfs" and bool(self.configuration.nfs_qcow2_volumes)

    @property
    def takes_snapshots(self) -> bool:
        """False only for NFS back-ends without nfs_snapshot_support."""
        return self.kind != "nfs" or bool(self.configuration.nfs_snapshot_support)

    @property
    def service(self) -> str:
        """``host@section``: the volume service."""
        return f"{self.host}@{self.section}"

    @property
    def address(self) -> str:
        """``host@section#pool``."""
        return f"{self.host}@{self.section}#{self.pool}"

    def with_options(self, options: Mapping[str, object]) -> BackendPlan:
        """The same back-end, with other options in its section."""
        configuration = Configuration(self.configuration.section, {**self.configuration, **options})
        return replace(self, configuration=configuration)


@dataclass(frozen=True, slots=True)
class VolumeGroupPlan:
    """A volume group to be made on a node, with a thin pool if a back-end deploys thin volumes in it."""

    node: str
    name: str
    size: int
    thin: bool


@dataclass(frozen=True, slots=True)
class Deployment:
    """Everything that cinder.conf files say about a deployment."""

    nodes: tuple[NodePlan, ...]
    backends: tuple[BackendPlan, ...]
    volume_groups: tuple[VolumeGroupPlan, ...] = field(init=False)
    pools: tuple[tuple[str, str], ...] = field(init=False)
    """(cluster, pool) pairs."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """NFS exports that are another one by a second name. Cinder is not told."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "volume_groups", _volume_groups(self.backends))
        pools = ((plan.cluster, plan.configuration.rbd_pool) for plan in self.backends if plan.cluster)
        object.__setattr__(self, "pools", tuple(dict.fromkeys(pools)))

    @classmethod
    def default(cls) -> Deployment:
        """The embedded deployment: thirteen back-ends on two nodes, two Ceph clusters and two NFS shares."""
        with ExitStack() as stack:
            return load(
                [stack.enter_context(as_file(files(default_deployment) / name)) for name in _DEFAULT_FILES]
            )

    def backend(self, name: str) -> BackendPlan:
        """The back-end of that name; KeyError if there is none."""
        for plan in self.backends:
            if plan.name == name:
                return plan
        raise KeyError(name)


class Recognised(NamedTuple):
    """What a volume_driver stands for: where its class is, what kind it is, which options it adds to a
    section.
    """

    driver: str
    kind: str
    options: Sequence[Any] = ()


def reference(name: str) -> Recognised:
    """Drivers of Crucible's own, and what is derived from `harness.driver.VolumeDriver`. InputError."""
    path = registry.find(name)
    return Recognised(path, registry.kind(path), registry.declared_options(path))


def load(paths: Sequence[str | Path], recognise: Callable[[str], Recognised] = reference) -> Deployment:
    """Read one cinder.conf per node; `recognise` says what a volume_driver stands for.

    InputError, in one line with file, section and option, for what cannot be read or cannot be meant.
    """
    nodes: list[NodePlan] = []
    backends: list[BackendPlan] = []
    origins: dict[str, str] = {}
    for number, path in enumerate(_distinct(paths), start=1):
        file = ConfigurationFile(path, host=f"node{number}", address=f"192.0.2.{number}")
        options = file.defaults()
        node = NodePlan(file=file.name, host=options["host"], options=options)
        nodes.append(node)
        for section in _enabled_backends(file, options["enabled_backends"]):
            plan = _plan(file, node, section, recognise)
            if plan.service in origins:
                raise file.error(
                    section, "host" if plan.host == plan.node else "backend_host",
                    f" = {plan.host}: the service {plan.service} is already in {origins[plan.service]}; "
                    "set another host, or rename the section",
                )  # fmt: skip
            origins[plan.service] = file.name
            backends.append(plan)
    _check_machines(backends, nodes, origins)
    return Deployment(tuple(nodes), tuple(_named(backends)))


def build_world(
    deployment: Deployment,
    points: Points = QUIET,
    home: Directory | None = None,
    *,
    backends: Sequence[BackendPlan] | None = None,
    seed: int = 0,
    now_us: Callable[[], int] = lambda: 0,
) -> World:
    """The deployment's machines, and storage for `backends` (all by default): what is in `home`, or fresh.

    `seed` and `now_us` are chance and time of the arrays. InputError if one of these cannot be made.
    """
    world = World(points, home)
    for node in deployment.nodes:
        world.node(node.host)
    backends = deployment.backends if backends is None else backends
    containers = {plan.container for plan in backends}
    for group in deployment.volume_groups:
        if f"{group.node}/{group.name}" in containers:
            made = world.nodes[group.node].add_volume_group(group.name, [group.size])
            if group.thin:
                ensure_pool(made)
    for cluster, pool in deployment.pools:
        if f"{cluster}/{pool}" in containers:
            world.cluster(cluster).create_pool(pool)
    for export in dict.fromkeys(export for plan in backends for export in plan.shares):
        world.shares[export] = world.share(deployment.aliases.get(export, export), SHARE_SIZE)
    for plan in backends:
        # A driver looks for its machine under the host part of its service, which backend_host may rename.
        world.nodes.setdefault(plan.host, world.nodes[plan.node])
        if plan.array is not None and plan.array_name not in world.arrays:
            place = array.Place(
                name=plan.array_name, options=plan.options, fabric=world.fabric, points=points, now_us=now_us,
                chance=stream(seed, "array", plan.array_name),
            )  # fmt: skip
            world.arrays[plan.array_name] = array.load(plan.array)(place)
    return world


def make_driver(plan: BackendPlan, world: World) -> VolumeDriver:
    """The back-end's driver over the storage of `world`, not yet set up."""
    return registry.load(plan.driver)(configuration=plan.configuration, world=world, host=plan.service)


# ------------------------------------------------------------------------------------ one back-end section


def _enabled_backends(file: ConfigurationFile, enabled: Sequence[str] | None) -> list[str]:
    """The names in enabled_backends, each of which has a section of its own."""
    names = [name for name in enabled or () if name]
    known = [section for section in file.sections if section != SHARED_SECTION]
    option = ("DEFAULT", "enabled_backends")
    if not names:
        state = "is missing" if enabled is None else "is empty"
        example = ", ".join(known) or "lvm-a, with a section [lvm-a]"
        raise file.error(*option, f": {state}; it must name back-end sections, such as {example}")
    for name, count in Counter(name.lower() for name in names).items():
        if count > 1:
            raise file.error(*option, f": names {name} {count} times; every back-end must have its own name")
    for name in names:
        if "@" in name or "#" in name:
            raise file.error(*option, f": names {name}; a section's name must have no @ and no #")
        if not file.has_section(name):
            nearest = get_close_matches(name, known, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"sections: {', '.join(known) or '(none)'}"
            raise file.error(*option, f": names {name}, but there is no section [{name}]; {hint}")
    return names


def _plan(
    file: ConfigurationFile, node: NodePlan, section: str, recognise: Callable[[str], Recognised]
) -> BackendPlan:
    configuration = file.backend(section)
    driver, kind_name, declared = _driver(file, section, configuration.volume_driver, recognise)
    kind = cast(Literal["lvm", "rbd", "nfs", "other"], kind_name)
    if declared:
        configuration = file.backend(section, declared)
    _check_values(file, section, configuration)
    host = configuration.backend_host or node.host
    if "@" in host or "#" in host:
        raise file.error(section, "host", f" = {host}: must have no @ and no #")
    _check_own_options(file, section, configuration)
    fake = _array(file, section, configuration.crucible_array)
    fake_name = configuration.crucible_array_name or section
    cluster = configuration.rbd_cluster_name if kind == "rbd" else None
    shares = _shares(file, section, configuration) if kind == "nfs" else ()
    containers = {
        "lvm": f"{node.host}/{configuration.volume_group}",
        "rbd": f"{cluster}/{configuration.rbd_pool}",
        "nfs": ",".join(shares),
        "other": f"{host}@{section}" if fake is None else f"array {fake_name}",
    }
    backend_name = configuration.volume_backend_name or _BACKEND_NAMES[kind]
    zone = configuration.backend_availability_zone or node.options["storage_availability_zone"]
    return BackendPlan(
        name=section,
        section=section,
        node=node.host,
        host=host,
        driver=driver,
        configuration=configuration,
        availability_zone=zone,
        volume_backend_name=backend_name,
        pool=backend_name or DEFAULT_POOL,
        kind=kind,
        # lvm_type auto becomes thin in a volume group without volumes, which all of them are at first.
        thin=kind == "rbd"
        or (kind == "lvm" and configuration.lvm_type != "default")
        or (kind == "nfs" and configuration.nfs_sparsed_volumes),
        container=containers[kind],
        cluster=cluster,
        shares=shares,
        options=file.written(section),
        array=fake,
        array_name=fake_name,
        service_cluster=_cluster_of_services(file, node, section, driver),
    )


def _cluster_of_services(file: ConfigurationFile, node: NodePlan, section: str, driver: str) -> str | None:
    """``cluster@section``. A driver must say that it supports this (`VolumeManager.__init__`)."""
    name = node.options["cluster"]
    if not name:
        return None
    if "@" in name or "#" in name:
        raise file.error("DEFAULT", "cluster", f" = {name}: must have no @ and no #")
    if not getattr(registry.load(driver), "SUPPORTS_ACTIVE_ACTIVE", False):
        raise file.error(
            section, "volume_driver",
            f": does not support active/active (SUPPORTS_ACTIVE_ACTIVE), which [DEFAULT] cluster = {name} asks "
            "for; leave cluster out, or put the section into another file",
        )  # fmt: skip
    return f"{name}@{section}"


def _array(file: ConfigurationFile, section: str, path: str | None) -> str | None:
    try:
        return registry.with_colon(path) if path is not None else None
    except InputError as error:
        raise file.error(section, "crucible_array", f": {error}") from error


def _check_own_options(file: ConfigurationFile, section: str, configuration: Configuration) -> None:
    """Options that are unknown are ignored, as in Cinder, but not those that are Crucible's own."""
    known = [name for name in configuration if name.startswith("crucible_")]
    for name in file.written(section):
        if name.startswith("crucible_") and name not in known:
            raise file.error(section, name, f": is no option; known are {', '.join(known)}")


def _driver(
    file: ConfigurationFile, section: str, name: str | None, recognise: Callable[[str], Recognised]
) -> Recognised:
    if not name:
        raise file.error(
            section, "volume_driver",
            f": is {'missing' if name is None else 'empty'}; it must name a driver, such as "
            "volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver",
        )  # fmt: skip
    try:
        return recognise(name)
    except InputError as error:
        raise file.error(section, "volume_driver", f": {error}") from error


def _shares(file: ConfigurationFile, section: str, configuration: Configuration) -> tuple[str, ...]:
    """The exports that an NFS back-end uses."""
    option = "nfs_shares_config"
    try:
        shares = tuple(read_shares(configuration))
    except NfsException as error:
        raise file.error(
            section, option, f": {error}; give such a file, or set nas_host and nas_share_path"
        ) from error
    if not shares:
        raise file.error(
            section, option,
            f" = {configuration.nfs_shares_config}: names no share; its lines must read address:/path",
        )  # fmt: skip
    return shares


def _check_values(file: ConfigurationFile, section: str, configuration: Configuration) -> None:
    """What the type of an option does not say."""
    for option in ("volume_group", "rbd_pool", "rbd_cluster_name"):
        if not configuration[option]:
            raise file.error(section, option, ": is empty; it must be a name")
    if not legal(configuration.volume_group):
        raise file.error(
            section,
            "volume_group",
            f" = {configuration.volume_group}: is no name that lvm2 takes; "
            "it has letters, digits and any of + _ . -, and does not begin with a hyphen",
        )
    if "/" in configuration.rbd_pool or "@" in configuration.rbd_pool:
        raise file.error(
            section,
            "rbd_pool",
            f" = {configuration.rbd_pool}: must have no / and no @ (pool/image@snapshot)",
        )
    text = configuration.extra_capabilities
    try:
        valid = isinstance(json.loads(text), dict)
    except json.JSONDecodeError:
        valid = False
    if not valid:
        raise file.error(
            section, "extra_capabilities", f' = {text}: must be a JSON object such as {{"tier": "gold"}}'
        )


# ----------------------------------------------------------------------------------- the deployment as one


def _distinct(paths: Sequence[str | Path]) -> list[Path]:
    if not paths:
        raise InputError("no cinder.conf: give one file for each node")
    counts = Counter(Path(path).resolve() for path in paths)
    for path in paths:
        if counts[Path(path).resolve()] > 1:
            raise InputError(f"{path}: is given more than once; give one file for each node")
    return [Path(path) for path in paths]


def _check_machines(
    backends: Sequence[BackendPlan], nodes: Sequence[NodePlan], origins: Mapping[str, str]
) -> None:
    """A backend_host must lead to one machine: an LVM driver finds its volume groups by it."""
    whole = [plan for plan in backends if plan.shares]
    for plan in whole:
        for other in whole:
            if set(plan.shares) & set(other.shares) and plan.container != other.container:
                raise InputError(
                    f"{origins[plan.service]}: [{plan.section}] and [{other.section}] have some NFS shares in "
                    "common; they must have all of them in the same order, or none"
                )
    node_of = {node.host: node.host for node in nodes}
    for plan in backends:
        if plan.kind == "lvm" and node_of.setdefault(plan.host, plan.node) != plan.node:
            raise InputError(
                f"{origins[plan.service]}: [{plan.section}] backend_host = {plan.host}: stands for {plan.node} "
                f"here and for {node_of[plan.host]} elsewhere; LVM back-ends of different nodes must have "
                "different hosts"
            )


def _named(backends: Sequence[BackendPlan]) -> list[BackendPlan]:
    """The plans with short names that are unique."""
    counts = Counter(plan.section for plan in backends)
    return [
        plan if counts[plan.section] == 1 else replace(plan, name=f"{plan.section}@{plan.host}")
        for plan in backends
    ]


def _volume_groups(backends: Sequence[BackendPlan]) -> tuple[VolumeGroupPlan, ...]:
    thin: dict[tuple[str, str], bool] = {}
    for plan in backends:
        if plan.kind == "lvm":
            key = (plan.node, plan.configuration.volume_group)
            thin[key] = thin.get(key, False) or plan.thin
    return tuple(
        VolumeGroupPlan(node, name, VOLUME_GROUP_SIZE, has_pool) for (node, name), has_pool in thin.items()
    )
