"""Reads out of the installed Cinder what it asks of drivers, and what its own drivers look like.

How the manager calls drivers is read from its source, and so is true for the release that is installed. Drivers
are imported, and not run. All of this happens in an interpreter of its own (`read_contract`): importing
Cinder's drivers brings a lot along.
"""

from __future__ import annotations

import ast
import fnmatch
import importlib
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.cinder_engine.release import require
from harness.errors import InputError
from harness.signatures import Call, Contract, DriverSignatures, Signature, signature_of

CALLERS = (
    "volume/manager.py",
    "volume/flows/manager/create_volume.py",
    "volume/flows/manager/manage_existing.py",
    "volume/flows/manager/manage_existing_snapshot.py",
)
"""Where Cinder calls its volume drivers."""
CORE = "VolumeDriverCore"
BASE = "cinder.volume.driver"
"""Where the classes are that drivers derive from."""
ATTRIBUTES = ("SUPPORTED", "VERSION", "CI_WIKI_NAME")


def read_contract(own: Sequence[str] = (), *, all_drivers: bool = True) -> Contract:
    """The contract of the installed release, with its drivers, if all are wanted, and those at `own`
    (``package.module:Class``). InputError without Cinder."""
    require()
    arguments = [json.dumps(list(own)), json.dumps(all_drivers)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "harness.cinder_engine.interface_reader", *arguments],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it ended without a word"]
        raise InputError(f"the installed Cinder cannot be read: {lines[-1]}")
    return msgspec.json.decode(done.stdout.rpartition(b"\n\n")[2], type=Contract)


def calls_of_cinder(root: Path) -> list[Call]:
    """How Cinder calls drivers; `root` is the directory of the package."""
    return sorted({call for place in CALLERS for call in calls_in((root / place).read_text(encoding="utf-8"))})


def calls_in(source: str) -> Iterator[Call]:
    """Every ``driver.method(...)`` in a module, unless it passes a whole list on."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        if not (isinstance(owner, ast.Attribute | ast.Name) and _name(owner) == "driver"):
            continue
        if any(isinstance(each, ast.Starred) for each in node.args) or any(
            each.arg is None for each in node.keywords
        ):
            continue
        yield Call(node.func.attr, len(node.args), tuple(sorted(each.arg or "" for each in node.keywords)))


def _name(owner: ast.Attribute | ast.Name) -> str:
    return owner.attr if isinstance(owner, ast.Attribute) else owner.id


def driver_signatures(driver: type[Any], interface_modules: str = "cinder.interface") -> DriverSignatures:
    """What a driver class looks like; its methods may be of any kind."""
    methods, own, based = {}, [], []
    for name in dir(driver):
        if name.startswith("_"):
            continue
        definer = next((each for each in driver.__mro__ if name in vars(each)), driver)
        static = vars(definer).get(name)
        if not (definer.__module__.startswith(interface_modules) or _only_refuses(static)):
            own.append(name)
        if definer.__module__ == BASE:
            based.append(name)
        try:
            bound = isinstance(static, classmethod | staticmethod)
            methods[name] = signature_of(getattr(driver, name), bound=bound)
        except (TypeError, ValueError):
            pass  # a property, or a callable whose signature nobody knows
    return DriverSignatures(
        driver=f"{driver.__module__}.{driver.__qualname__}",
        methods=methods,
        own=own,
        based=based,
        attributes={name: repr(getattr(driver, name)) for name in ATTRIBUTES if hasattr(driver, name)},
        interfaces=sorted(
            each.__name__ for each in driver.__mro__ if each.__module__.startswith(interface_modules)
        ),
    )


def _only_refuses(method: object) -> bool:
    """True for a method that does nothing but raise NotImplementedError, as in Cinder's base classes."""
    code = getattr(method, "__code__", None)
    return code is not None and code.co_names == ("NotImplementedError",)


def _import_drivers(root: Path) -> dict[str, str]:
    """Import every module with drivers; returns what could not be, and why."""
    failed = {}
    for directory, _, names in sorted(os.walk(root / "volume" / "drivers")):
        for name in sorted(fnmatch.filter(names, "*.py")):
            path = Path(directory, name).relative_to(root.parent).with_suffix("")
            module = ".".join(path.parts).removesuffix(".__init__")
            try:
                importlib.import_module(module)
            except BaseException as error:  # noqa: BLE001 (foreign code; it is reported)
                if "volumedriver" in Path(directory, name).read_text(encoding="utf-8"):
                    failed[module] = _reason(error)
    return failed


def _own_driver(name: str) -> DriverSignatures:
    """A driver that Cinder does not know of."""
    module, _, attribute = name.partition(":")
    try:
        driver = getattr(importlib.import_module(module), attribute)
        if isinstance(driver, type):
            return driver_signatures(driver)
        reason = f"{attribute} is no class"
    except BaseException as error:  # noqa: BLE001 (foreign code; it is reported)
        reason = _reason(error)
    return DriverSignatures(driver=f"{module}.{attribute}", error=reason)


def _read(own: Sequence[str], all_drivers: bool) -> Contract:
    warnings.simplefilter("ignore")
    import cinder
    import cinder.interface
    from cinder.interface import base
    from cinder.objects import register_all

    register_all()
    root = Path(cinder.__file__).parent
    calls = calls_of_cinder(root)
    interfaces: dict[str, dict[str, Signature]] = {}
    for path in sorted((root / "interface").glob("volume_*.py")):
        module = importlib.import_module(f"cinder.interface.{path.stem}")
        for name, value in vars(module).items():
            here = isinstance(value, type) and value.__module__ == module.__name__
            if here and issubclass(value, base.CinderInterface):
                interfaces[name] = {
                    each: signature_of(method, bound=False)
                    for each, method in sorted(vars(value).items())
                    if not each.startswith("_") and callable(method)
                }
    classes = [each for each in vars(importlib.import_module(BASE)).values() if isinstance(each, type)]
    asked = {call.method for call in calls}.union(*interfaces.values(), *map(dir, classes))
    found = [_own_driver(name) for name in own]
    if all_drivers:
        failed = _import_drivers(root)
        registered = {
            f"{each.__module__}.{each.__qualname__}": each for each in cinder.interface._volume_register
        }
        found += [driver_signatures(registered[name]) for name in sorted(registered)]
        found += [DriverSignatures(driver=name, error=reason) for name, reason in sorted(failed.items())]
    return Contract(
        release=require(),
        calls=calls,
        interfaces=interfaces,
        core=CORE,
        drivers=[_as_far_as_asked(each, asked) for each in found],
    )


def _as_far_as_asked(driver: DriverSignatures, asked: Collection[str]) -> DriverSignatures:
    """Without the methods that are a driver's own business: those that no release may ask for."""
    return msgspec.structs.replace(
        driver,
        methods={name: signature for name, signature in driver.methods.items() if name in asked},
        own=[name for name in driver.own if name in asked],
        based=[name for name in driver.based if name in asked],
    )


def _reason(error: BaseException) -> str:
    """Why a module cannot be imported, but for where it was looked for on this machine."""
    return re.sub(r" \(/.*\)$", "", f"{type(error).__name__}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    contract = _read(*map(json.loads, sys.argv[1:]))
    sys.stdout.write("\n\n" + msgspec.json.encode(contract).decode())
