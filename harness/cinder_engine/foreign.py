"""Drivers that Crucible does not know: of Cinder's tree, or the user's own.

What pools such a driver reports, and whether it retypes by itself, stands in no cinder.conf. So before cells
are chosen, a process of its own imports each of them and sets it up once, over the fake of its array. What
cannot be meant (a class that is none, a library that is missing, a section that the driver rejects) is bad
input. A driver that fails in any other way, or never comes back, is a finding: every cell that needs it says
so.
"""

from __future__ import annotations

import importlib
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness import registry
from harness.cinder_engine import libraries
from harness.cinder_engine.boot import Process
from harness.cinder_engine.engine import PATIENCE_S, Worker
from harness.control_plane import deployment as deployments
from harness.control_plane.deployment import BackendPlan, Deployment, Recognised, Seen
from harness.errors import InputError, KernelError
from harness.sim.simulation import Simulation

_KINDS = {
    "cinder.volume.drivers.lvm.LVMVolumeDriver": "lvm",
    "cinder.volume.drivers.rbd.RBDDriver": "rbd",
    "cinder.volume.drivers.nfs.NfsDriver": "nfs",
}
"""A driver that is derived from one of these needs the storage of that kind."""
IMPORT_LIMIT_S = 60.0
"""Real seconds in which Cinder has started and all drivers are imported. It takes three."""
SETUP_MAX_US = 3_600_000_000
"""Virtual time in which a driver must have been set up."""


def load(paths: Sequence[Path], patience_s: float = PATIENCE_S) -> Deployment:
    """The deployment of these cinder.conf files, whatever drivers are in it. InputError."""
    first = deployments.load(paths, partial(recognise, {}))
    unknown = [plan for plan in first.backends if plan.kind == "other"]
    seen = _ask(first, paths, unknown, patience_s)
    return Deployment(first.nodes, tuple(seen.get(plan.name, plan) for plan in first.backends))


def recognise(kinds: Mapping[str, str], name: str) -> Recognised:
    """Crucible's names for the three drivers that it knows, and everything else as it is."""
    if name in registry.REFERENCE_DRIVERS:
        path = registry.REFERENCE_DRIVERS[name]
        return Recognised(path, registry.kind(path))
    path = registry.with_colon(name)
    return Recognised(path, kinds.get(path, "other"))


# -------------------------------------------------------------------------------------- the process that asks


def _ask(
    deployment: Deployment, paths: Sequence[Path], plans: Sequence[BackendPlan], patience_s: float
) -> dict[str, BackendPlan]:
    """The plans, by name, as they are once their drivers have been seen. InputError."""
    answers: dict[str, BackendPlan] = {}
    while left := [plan for plan in plans if plan.name not in answers]:
        worker = Worker(partial(_look, paths, [plan.name for plan in left]))
        imported, how = False, ""
        try:
            while len(answers) < len(plans):
                limit_s = patience_s if imported else min(patience_s, IMPORT_LIMIT_S)
                if not worker.line.poll(limit_s):
                    how = f"it had not come back after {limit_s:g} s"
                    break
                answer = worker.line.recv()
                if isinstance(answer, InputError):
                    raise answer
                if answer is None:
                    imported = True
                else:
                    answers[answer.name] = answer
        except (EOFError, ConnectionResetError):
            how = "it ended its process"
        finally:
            worker.end(kill=True)
        if how:
            # They are taken in order, so the first without an answer is the one.
            plan = next(plan for plan in plans if plan.name not in answers)
            if not imported:
                raise InputError(f"{_where(deployment, plan)}: cannot be imported: {how}")
            answers[plan.name] = replace(plan, seen=Seen(driver=_class_name(plan), failure=how))
    return answers


# --------------------------------------------------------------------------------- the process that is asked


def _look(paths: Sequence[Path], names: Sequence[str], line: Connection) -> None:
    """Import all drivers, say so with None, then set one after another up; the answers are their plans."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Process(deployments.load(paths, partial(recognise, {}))) as process:
            from harness.cinder_engine.seams import streams

            streams.install(process.patches, process.stage)
            unknown = [process.deployment.backend(name) for name in names]
            kinds = {plan.driver: _kind(_driver_class(process.deployment, plan)) for plan in unknown}
            deployment = deployments.load(paths, partial(recognise, kinds))
            line.send(None)
            for name in names:
                plan = deployment.backend(name)
                line.send(_observed(process, deployment, plan) if plan.kind == "other" else plan)
    except InputError as error:
        line.send(error)


def _kind(driver: Any) -> str:
    """What the driver is derived from, ``other`` for nothing that Crucible knows."""
    ancestors = [f"{each.__module__}.{each.__qualname__}" for each in driver.__mro__]
    return next((_KINDS[ancestor] for ancestor in ancestors if ancestor in _KINDS), "other")


def _driver_class(deployment: Deployment, plan: BackendPlan) -> Any:
    """The class of a driver. InputError, with what to install, if it cannot be had."""
    from cinder.interface import volume_driver
    from cinder.volume import driver

    where = _where(deployment, plan)
    module_name, _, attribute = plan.driver.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        name = str(error.name)
        if module_name == name or module_name.startswith(f"{name}."):
            raise InputError(
                f"{where}: there is no module {name}; install the package that has it, add its directory to "
                "PYTHONPATH, or correct the path"
            ) from None
        raise InputError(
            f"{where}: needs {name}, which is not installed: pip install {libraries.package(name)}"
        ) from None
    except BaseException as error:  # noqa: BLE001 (a module may even call sys.exit)
        raise InputError(f"{where}: cannot be imported: {_one_line(error)}") from None
    found = getattr(module, attribute, None)
    if found is None:
        drivers = ", ".join(
            name for name, value in sorted(vars(module).items()) if _is_driver(value, module_name)
        )
        raise InputError(
            f"{where}: {module_name} has no class {attribute}; it has the drivers {drivers or '(none)'}"
        )
    if not _is_driver(found):
        raise InputError(
            f"{where}: is no driver of Cinder; it must be a subclass of {driver.__name__}.VolumeDriver, "
            f"or have the methods of {volume_driver.__name__}.VolumeDriverCore"
        )
    return found


def _is_driver(value: Any, module_name: str | None = None) -> bool:
    from cinder.volume import driver

    has_methods = isinstance(value, type) and (
        issubclass(value, driver.BaseVD) or (hasattr(value, "do_setup") and hasattr(value, "create_volume"))
    )
    return has_methods and module_name in (None, value.__module__)


def _observed(process: Process, deployment: Deployment, plan: BackendPlan) -> BackendPlan:
    """The plan with what is only known when the driver runs: its pool, its name, and what it can do.

    InputError if the driver rejects its section, or talks to an array of which there is no fake.
    """
    from cinder.volume import driver

    kind = _driver_class(deployment, plan)
    base = driver.VolumeDriver
    try:
        stats = _stats(process, deployment, plan)
    except InputError:
        raise
    except BaseException as error:  # noqa: BLE001 (whatever a driver does is a finding)
        if why := _rejected(process, plan, kind, error):
            raise InputError(process.stage.mask.text(f"{_where(deployment, plan)}: {why}")) from None
        failure = process.stage.mask.text(_one_line(error))
        return replace(plan, seen=Seen(driver=_class_name(plan), failure=failure))
    pool = (stats.get("pools") or [stats])[0]
    backend_name = stats.get("volume_backend_name") or plan.volume_backend_name
    seen = Seen(
        driver=_class_name(plan),
        retypes=getattr(kind, "retype", None) is not getattr(base, "retype", None),
        migrates=getattr(kind, "migrate_volume", None) is not getattr(base, "migrate_volume", None),
        multiattach=bool(pool.get("multiattach", stats.get("multiattach"))),
        thin=bool(pool.get("thin_provisioning_support")),
        measured=isinstance(pool.get("free_capacity_gb"), int | float),
    )
    name = pool.get("pool_name") or backend_name or plan.pool
    return replace(plan, volume_backend_name=backend_name, pool=name, thin=seen.thin, seen=seen)


def _stats(process: Process, deployment: Deployment, plan: BackendPlan) -> Mapping[str, Any]:
    """Set the driver up and ask it for its stats. Raises whatever the driver raises."""
    from harness.cinder_engine.cloud import CinderCloud
    from harness.control_plane.nova_profiles import PROFILES

    process.stage.unanswered.clear()
    with Simulation() as simulation:
        cloud = CinderCloud(
            process, deployment, simulation, nova=PROFILES["32"], backends=[], setup_max_us=SETUP_MAX_US
        )
        try:
            cloud.start(plan.name)
            service = cloud.manager(plan.name)
            stats = service.act(lambda: service.manager.driver.get_volume_stats(refresh=True))
            if not isinstance(stats, Mapping):
                raise TypeError(f"get_volume_stats returns {stats!r:.60}, but should return a dict")
            return dict(stats)
        finally:
            cloud.close()


def _rejected(process: Process, plan: BackendPlan, kind: Any, error: BaseException) -> str:
    """What the user can put right in cinder.conf, or by installing something; nothing if it is a finding."""
    from cinder import exception
    from requests.exceptions import InvalidURL

    if isinstance(error, KernelError):
        return ""
    for each in (error, error.__cause__):
        if isinstance(each, ModuleNotFoundError):
            return f"needs {each.name}, which is not installed: pip install {libraries.package(str(each.name))}"
    if absent := libraries.absent(kind):
        return (
            f"needs {absent}, which is not installed: pip install {libraries.package(absent)}, or let the fake "
            f"of its array offer the module ({_one_line(error)})"
        )
    if plan.array is None and process.stage.unanswered:
        return (
            f"talks to {process.stage.unanswered[0]}, and nobody is there; set crucible_array = "
            "package.module:Class, a fake of the array that answers"
        )
    if isinstance(error, exception.Invalid | exception.NotFound | InvalidURL) or _is_of_oslo_config(error):
        return f"rejects its section: {_one_line(error)}"
    return ""


def _is_of_oslo_config(error: BaseException) -> bool:
    """An option that the driver needs has no value, or one that is no good."""
    return type(error).__module__.startswith("oslo_config")


def _where(deployment: Deployment, plan: BackendPlan) -> str:
    """File, section and option, for whoever reads a message."""
    file = next(node.file for node in deployment.nodes if node.host == plan.node)
    return f"{file}: [{plan.section}] volume_driver = {plan.driver.replace(':', '.')}"


def _class_name(plan: BackendPlan) -> str:
    return plan.driver.partition(":")[2]


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, KernelError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
