"""Libraries that vendors' drivers need: which of them is not there, and what to install for it.

Some drivers import such a library at their top, and cannot be imported without it. Others try to, go on without
it, and fail when they are set up, in words of their own.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType

_PACKAGES = {
    "OpenSSL": "pyOpenSSL", "flashblade": "purity_fb", "hpe3parclient": "python-3parclient",
    "infi": "infinisdk", "linstor": "python-linstor", "pypureclient": "py-pure-client",
    "rados": "python3-rados", "rbd": "python3-rbd", "rbd_iscsi_client": "rbd-iscsi-client",
    "rsd_lib": "rsd-lib", "websocket": "websocket-client",
}  # fmt: skip
"""Modules whose package has another name."""
_DRIVERS = "cinder.volume.drivers"


def package(module: str) -> str:
    """What to give pip for a module."""
    top = module.partition(".")[0]
    return _PACKAGES.get(top, top)


def absent(driver: type) -> str | None:
    """The first module that the driver's own modules would import if it were there, and that is not."""
    home = driver.__module__.rpartition(".")[0]
    # There, drivers of many vendors lie side by side.
    near = driver.__module__ if home == _DRIVERS or not home else home
    names = sorted(name for name in sys.modules if name == near or name.startswith(f"{near}."))
    for name in names:
        for wanted in _tried(sys.modules[name]):
            if not _is_there(wanted.partition(".")[0]):
                return wanted
    return None


def _tried(module: ModuleType) -> Iterator[str]:
    """What it imports only if that is there."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any("ImportError" in _names(each.type) for each in node.handlers):
            for step in node.body:
                if isinstance(step, ast.Import):
                    yield from (alias.name for alias in step.names)
                elif isinstance(step, ast.ImportFrom) and not step.level and step.module:
                    yield step.module
        elif isinstance(node, ast.Call) and "try_import" in _names(node.func) and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value


def _names(expression: ast.expr | None) -> set[str]:
    """All names in it."""
    nodes = list(ast.walk(expression)) if expression is not None else []
    return {node.id for node in nodes if isinstance(node, ast.Name)} | {
        node.attr for node in nodes if isinstance(node, ast.Attribute)
    }


def _is_there(name: str) -> bool:
    if name in sys.modules:
        return sys.modules[name] is not None
    return importlib.util.find_spec(name) is not None
