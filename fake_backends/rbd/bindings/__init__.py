"""Modules that stand in for `rados` and `rbd`, the Python bindings of librados and librbd 16.2.15.

`modules` makes a pair of them over some clusters. Put them into `sys.modules`, and Cinder's RBD driver, its
backup driver and os-brick talk to these clusters. Two pairs share nothing but classes of exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import NamedTuple

from fake_backends.rbd.bindings import constants, iterators, rados_errors, rbd_errors
from fake_backends.rbd.bindings.client import Ioctx, Rados, Version
from fake_backends.rbd.bindings.configuration import Configuration
from fake_backends.rbd.bindings.groups import Group
from fake_backends.rbd.bindings.image import Image
from fake_backends.rbd.bindings.images import RBD


class Modules(NamedTuple):
    """The two modules."""

    rados: ModuleType
    rbd: ModuleType


def modules(configurations: Mapping[str, Configuration]) -> Modules:
    """The modules of a host on which these configuration files are: path to what it leads to."""
    files = dict(configurations)

    class HostRados(Rados):
        """A client of this host."""

        host_files = files

    HostRados.__name__ = HostRados.__qualname__ = "Rados"
    HostRados.__module__ = "rados"
    rados = ModuleType("rados")
    vars(rados).update(_public(rados_errors), Rados=HostRados, Ioctx=Ioctx, Version=Version)
    rbd = ModuleType("rbd")
    vars(rbd).update(
        _public(rbd_errors), **_public(iterators), **_public(constants), RBD=RBD, Image=Image, Group=Group
    )
    return Modules(rados, rbd)


def _public(module: ModuleType) -> dict[str, object]:
    """What a module has of its own: its classes and constants."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (not isinstance(value, type) or value.__module__ in ("rados", "rbd"))
        and not isinstance(value, ModuleType)
        and name not in ("annotations", "by_errno")
    }
