"""Names of back-end drivers, and the classes they stand for.

A driver is known by a short name (``lvm``), by the name that Cinder's drivers have in cinder.conf, by an
entry point of the group ``crucible.drivers``, or by where it is: ``package.module:Class`` or
``package.module.Class``. Nothing is imported before it is used.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from difflib import get_close_matches
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType, ModuleType
from typing import Any

from harness import first_import
from harness.driver import VolumeDriver
from harness.errors import InputError

LVM = "fake_backends.lvm.driver:LvmDriver"
RBD = "fake_backends.rbd.driver:RbdDriver"
NFS = "fake_backends.nfs.driver:NfsDriver"
KINDS = MappingProxyType({LVM: "lvm", RBD: "rbd", NFS: "nfs"})
"""The reference drivers, and what they are called for short."""

REFERENCE_DRIVERS = MappingProxyType({
    "lvm": LVM,
    "rbd": RBD,
    "nfs": NFS,
    "cinder.volume.drivers.lvm.LVMVolumeDriver": LVM,
    "cinder.volume.drivers.rbd.RBDDriver": RBD,
    "cinder.volume.drivers.nfs.NfsDriver": NFS,
})  # fmt: skip
"""Driver names that need no installation, and where their reference drivers are."""

ENTRY_POINTS = "crucible.drivers"


def names() -> list[str]:
    """Every name that `find` knows without being told a module, reference drivers first."""
    return list(dict.fromkeys([*REFERENCE_DRIVERS, *(point.name for point in _installed())]))


def find(name: str) -> str:
    """Where the driver of that name is: ``package.module:Class``.

    A class that is no reference driver is imported to see that it is a driver. InputError says what is
    wrong with the name, and what to use or install instead.
    """
    if name in REFERENCE_DRIVERS:
        return REFERENCE_DRIVERS[name]
    for point in _installed():
        if point.name == name:
            return _checked(point.value)
    if name.startswith("cinder."):
        raise InputError(
            f"{name} has no reference driver here;{_suggestion(name, names())} run it with --engine cinder, "
            f"use one of {', '.join(names())}, or name a subclass of harness.driver.VolumeDriver "
            "as package.module:Class"
        )
    if ":" in name or "." in name:
        return _checked(name)
    raise InputError(
        f"unknown driver {name!r};{_suggestion(name, names())} use one of {', '.join(names())}, "
        "or package.module:Class"
    )


def is_of_cinder(name: str) -> bool:
    """Whether a name leads to a driver of Cinder's tree, or to one that is derived from Cinder's classes.

    Its module is imported to see that, Cinder is not. False for what raises when it is imported: `find` says
    why. InputError for what does not come back from that.
    """
    if name.startswith("cinder."):
        return True
    if name in names() or not (":" in name or "." in name):
        return False
    try:
        with _without_cinder():
            found = getattr(imported(name), _split(name)[1], None)
    except _NeedsCinder:
        return True
    except _NoReturn:
        raise  # `find` would wait for it as long again
    except InputError:
        return False
    # Whoever calls may have imported Cinder himself.
    ancestors = found.__mro__ if isinstance(found, type) else ()
    return any(each.__module__.partition(".")[0] == "cinder" for each in ancestors)


def load(path: str) -> type[VolumeDriver]:
    """The class at ``package.module:Class``, as `find` returns it."""
    module, _, attribute = path.partition(":")
    driver: type[VolumeDriver] = getattr(importlib.import_module(module), attribute)
    return driver


def with_colon(path: str) -> str:
    """``package.module:Class``, if `path` can be one; nothing is imported. InputError."""
    module, attribute = _split(path)
    return f"{module}:{attribute}"


def kind(path: str) -> str:
    """``lvm``, ``rbd`` or ``nfs`` for the reference drivers and what is derived from them, else ``other``."""
    if path in KINDS:
        return KINDS[path]
    ancestors = (f"{ancestor.__module__}:{ancestor.__qualname__}" for ancestor in load(path).__mro__)
    return next((KINDS[ancestor] for ancestor in ancestors if ancestor in KINDS), "other")


def declared_options(path: str) -> list[Any]:
    """The oslo.config options that a driver adds to its back-end section.

    As in Cinder a driver says so in a class method get_driver_options
    (`cinder.interface.volume_driver:VolumeDriverCore`). The reference drivers have none of their own.
    """
    declare = None if path in KINDS else getattr(load(path), "get_driver_options", None)
    return list(declare()) if declare else []


def _installed() -> list[EntryPoint]:
    return sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)


def _checked(path: str) -> str:
    """`path` with a colon, once it has been seen to lead to a driver class."""
    module_name, attribute = _split(path)
    try:
        with _without_cinder():
            module = imported(path)
    except _NeedsCinder:
        raise InputError(
            f"{path} is a driver of Cinder, which --engine sim cannot run: add --engine cinder, or name "
            "a subclass of harness.driver.VolumeDriver"
        ) from None
    found = getattr(module, attribute, None)
    if found is None:
        drivers = [name for name, value in sorted(vars(module).items()) if _is_driver(value)]
        raise InputError(
            f"module {module_name} has no class {attribute};{_suggestion(attribute, drivers)} "
            f"it has the drivers {', '.join(drivers) or '(none)'}"
        )
    if not _is_driver(found):
        raise InputError(
            f"{path} is no driver; it must be a subclass of harness.driver.VolumeDriver, "
            "or one of Cinder's and run with --engine cinder"
        )
    return f"{module_name}:{attribute}"


class _NoReturn(InputError):
    """A module never comes back from being imported, or ends the process."""


class _NeedsCinder(ImportError):
    """A module wants Cinder."""


@contextmanager
def _without_cinder() -> Iterator[None]:
    """While this lasts, importing Cinder raises _NeedsCinder."""
    sys.meta_path.insert(0, _NoCinder)
    try:
        yield
    finally:
        sys.meta_path.remove(_NoCinder)


class _NoCinder:
    """A finder of modules: the process that the user started never imports Cinder."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0] in ("cinder", "os_brick"):
            raise _NeedsCinder(name)
        return None


def imported(path: str) -> ModuleType:
    """The module in which ``package.module:Class`` is. InputError says what is missing, or wrong with it."""
    module_name, _ = _split(path)
    if obstacle := first_import.obstacle(module_name):
        raise _NoReturn(f"cannot import {path}: {obstacle}; `python -c 'import {module_name}'` must succeed")
    try:
        with redirect_stdout(io.StringIO()):
            return importlib.import_module(module_name)
    except _NeedsCinder:
        raise
    except ModuleNotFoundError as error:
        raise InputError(
            f"cannot import {path}: there is no module {error.name}; install the package that has it, "
            "or correct the path"
        ) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise InputError(
            f"cannot import {path}: {type(error).__name__}: {' '.join(str(error).split())}; "
            f"`python -c 'import {module_name}'` must succeed"
        ) from error


def _split(path: str) -> tuple[str, str]:
    module, _, attribute = path.partition(":") if ":" in path else path.rpartition(".")
    if not all(part.isidentifier() for part in [*module.split("."), attribute]):
        raise InputError(f"{path!r} is no path of a class; it must have the form package.module:Class")
    return module, attribute


def _is_driver(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, VolumeDriver) and value is not VolumeDriver


def _suggestion(name: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(name, list(known), n=1)
    return f" did you mean {nearest[0]}?" if nearest else ""
