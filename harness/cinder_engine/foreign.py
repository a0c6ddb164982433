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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness import registry
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
SETUP_MAX_US = 3_600_000_000
"""Virtual time in which a driver must have been set up."""


def load(paths: Sequence[Path], patience_s: float = PATIENCE_S) -> Deployment:
    """The deployment of these cinder.conf files, whatever drivers are in it. InputError."""
    first = deployments.load(paths, partial(_recognise, {}))
    unknown = [plan for plan in first.backends if plan.kind == "other"]
    if not unknown:
        return first
    kinds = _ask(partial(_import, paths), unknown, patience_s, _died_at_import)
    found = deployments.load(paths, partial(_recognise, {plan.driver: kinds[plan.name] for plan in unknown}))
    strangers = [plan for plan in found.backends if plan.kind == "other"]
    seen = _ask(partial(_set_up, found), strangers, patience_s, _died_at_setup)
    return Deployment(found.nodes, tuple(seen.get(plan.name, plan) for plan in found.backends))


def _recognise(kinds: Mapping[str, str], name: str) -> Recognised:
    """Crucible's names for the three drivers that it knows, and everything else as it is."""
    if name in registry.REFERENCE_DRIVERS:
        path = registry.REFERENCE_DRIVERS[name]
        return Recognised(path, registry.kind(path))
    path = registry.with_colon(name)
    return Recognised(path, kinds.get(path, "other"))


# -------------------------------------------------------------------------------------- the process that asks


def _ask(
    work: Callable[[Sequence[str], Connection], None],
    plans: Sequence[BackendPlan],
    patience_s: float,
    died: Callable[[BackendPlan, str], Any],
) -> dict[str, Any]:
    """What `work` says of each back-end, by name; `died` if the process ended, or did not, over one of them."""
    answers: dict[str, Any] = {}
    while left := [plan for plan in plans if plan.name not in answers]:
        worker = Worker(partial(work, [plan.name for plan in left]))
        how = ""
        try:
            while len(answers) < len(plans):
                if not worker.line.poll(patience_s):
                    how = f"it had not come back after {patience_s:g} s"
                    break
                name, answer = worker.line.recv()
                if isinstance(answer, Exception):
                    raise answer
                answers[name] = answer
        except (EOFError, ConnectionResetError):
            how = "it ended its process"
        finally:
            worker.end(kill=True)
        if how:
            # They are taken in order, so the first without an answer is the one.
            plan = next(plan for plan in plans if plan.name not in answers)
            answers[plan.name] = died(plan, how)
    return answers


def _died_at_import(plan: BackendPlan, how: str) -> str:
    raise InputError(f"[{plan.section}] volume_driver = {_dotted(plan)}: cannot be imported: {how}")


def _died_at_setup(plan: BackendPlan, how: str) -> BackendPlan:
    return replace(plan, seen=Seen(driver=_class_name(plan), failure=how))


# --------------------------------------------------------------------------------- the process that is asked


def _import(paths: Sequence[Path], names: Sequence[str], line: Connection) -> None:
    """Say for each back-end what kind its driver is."""

    def kinds(process: Process, plan: BackendPlan) -> str:
        ancestors = [f"{each.__module__}.{each.__qualname__}" for each in _driver_class(plan).__mro__]
        return next((_KINDS[ancestor] for ancestor in ancestors if ancestor in _KINDS), "other")

    _answer(deployments.load(paths, partial(_recognise, {})), names, line, kinds)


def _set_up(deployment: Deployment, names: Sequence[str], line: Connection) -> None:
    """Say for each back-end what is seen of its driver when it runs."""
    _answer(deployment, names, line, _observed)


def _answer(
    deployment: Deployment,
    names: Sequence[str],
    line: Connection,
    about: Callable[[Process, BackendPlan], Any],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    name = names[0]
    try:
        with Process(deployment) as process:
            from harness.cinder_engine.seams import streams

            streams.install(process.patches, process.stage)
            for name in names:
                line.send((name, about(process, deployment.backend(name))))
    except InputError as error:
        line.send((name, error))


def _driver_class(plan: BackendPlan) -> Any:
    """The class of a driver. InputError, with what to install, if it cannot be had."""
    from cinder.interface import volume_driver
    from cinder.volume import driver

    where = f"[{plan.section}] volume_driver = {_dotted(plan)}"
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
            f"{where}: needs {name}, which is not installed: pip install {_package(name)}"
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


def _observed(process: Process, plan: BackendPlan) -> BackendPlan:
    """The plan with what is only known when the driver runs: its pool, its name, and what it can do.

    InputError if the driver rejects its section, or talks to an array of which there is no fake.
    """
    from cinder.volume import driver

    kind = _driver_class(plan)
    base = driver.VolumeDriver
    try:
        stats = _stats(process, plan)
    except InputError:
        raise
    except BaseException as error:  # noqa: BLE001 (whatever a driver does is a finding)
        _reject(process, plan, kind, error)
        return replace(plan, seen=Seen(driver=_class_name(plan), failure=_one_line(error)))
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


def _stats(process: Process, plan: BackendPlan) -> Mapping[str, Any]:
    """Set the driver up and ask it for its stats. Raises whatever the driver raises."""
    from harness.cinder_engine.cloud import CinderCloud
    from harness.control_plane.nova_profiles import PROFILES

    process.stage.unanswered.clear()
    with Simulation() as simulation:
        cloud = CinderCloud(
            process, process.deployment, simulation, nova=PROFILES["32"], backends=[], setup_max_us=SETUP_MAX_US
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


def _reject(process: Process, plan: BackendPlan, kind: Any, error: BaseException) -> None:
    """InputError for what the user can put right in cinder.conf, or by installing something."""
    from cinder import exception

    where = f"[{plan.section}]"
    if isinstance(error, KernelError):
        return
    causes = [error, *([error.__cause__] if error.__cause__ else [])]
    if any(isinstance(each, ModuleNotFoundError) for each in causes):
        name = next(str(each.name) for each in causes if isinstance(each, ModuleNotFoundError))
        raise InputError(
            f"{where} volume_driver = {_dotted(plan)}: needs {name}, which is not installed: "
            f"pip install {_package(name)}"
        ) from None
    if absent := _absent_library(kind):
        raise InputError(
            f"{where} volume_driver = {_dotted(plan)}: needs {absent}, which is not installed: "
            f"pip install {_package(absent)}, or let the fake of its array offer the module "
            f"({_one_line(error)})"
        ) from None
    if process.stage.unanswered:
        raise InputError(
            f"{where} {_class_name(plan)} talks to {process.stage.unanswered[0]}, and nobody is there: set "
            f"crucible_array = package.module:Class, a fake of the array that answers"
        ) from None
    if isinstance(error, exception.Invalid | exception.NotFound) or _is_of_oslo_config(error):
        raise InputError(f"{where} is rejected by {_class_name(plan)}: {_one_line(error)}") from None


def _is_of_oslo_config(error: BaseException) -> bool:
    """An option that the driver needs has no value, or one that is no good."""
    return type(error).__module__.startswith("oslo_config")


def _absent_library(kind: Any) -> str | None:
    """A library that the driver's module, or one beside it, wanted and went on without: its name there is
    None.
    """
    import sys

    package = kind.__module__.rpartition(".")[0]
    for name, module in sorted(sys.modules.items()):
        if name.startswith(package) and module is not None:
            for attribute, value in vars(module).items():
                if value is None and attribute in _LIBRARIES:
                    return attribute
    return None


_LIBRARIES = {
    "dfs_sdk": "dfs_sdk", "infinisdk": "infinisdk", "krest": "krest", "linstor": "python-linstor",
    "hpe3parclient": "python-3parclient", "purestorage": "purestorage", "pypureclient": "py-pure-client",
    "pyxcli": "pyxcli", "storops": "storops", "websocket": "websocket-client", "storpool": "storpool",
    "storpool.spopenstack": "storpool.spopenstack", "rados": "python3-rados", "rbd": "python3-rbd",
    "flashblade": "purity_fb", "jovian": "jovian",
}  # fmt: skip
"""Modules that drivers of Cinder's tree import, and the packages that have them."""


def _package(module: str) -> str:
    """What to give pip for a module."""
    return _LIBRARIES.get(module, module.partition(".")[0])


def _dotted(plan: BackendPlan) -> str:
    return plan.driver.replace(":", ".")


def _class_name(plan: BackendPlan) -> str:
    return plan.driver.partition(":")[2]


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, KernelError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
