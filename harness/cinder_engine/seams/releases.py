"""What differs between the releases of Cinder that the engine runs on, and nothing else.

| since | what |
|---|---|
| 29 | models and sessions live in `cinder.db`, before in `cinder.db.sqlalchemy` |
| 29 | `cinder.monkey_patch` and `cinder.utils.tpool_wrap` leave eventlet out where it is switched off |
| 29 | threads of the managers of volumes and backups are an executor, before a pool of eventlet's |
| 24 | the scheduler's `volume_update_db` takes the volume that its caller has, before it read its own |

A feature is looked for, not a number: a point release may have it, too.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from harness.cinder_engine.seams.patches import Patches


def database() -> ModuleType:
    """The module with `get_engine`."""
    return first_of("cinder.db.sqlalchemy.api", "cinder.db.api")


def models() -> ModuleType:
    """The module with the tables."""
    return first_of("cinder.db.sqlalchemy.models", "cinder.db.models")


def configure_database(configuration: Any) -> None:
    """Sessions of this configuration; before 29 they read the global one by themselves."""
    configure = getattr(database(), "configure", None)
    if configure is not None:
        configure(configuration)


def leave_eventlet_out(patches: Patches) -> None:
    """Calls that up to 28 always went to eventlet's threads are made here and now.

    Eventlet's threads and its hub would leave the task of the kernel that they are called from. This comes
    before Cinder is imported.
    """
    import time

    import eventlet
    from eventlet import greenthread, tpool

    def here(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        return function(*arguments, **keywords)

    def same(thing: Any, *arguments: Any, **keywords: Any) -> Any:
        return thing

    def sleep(seconds: float = 0) -> None:
        time.sleep(seconds)  # noqa: TID251 (which is virtual, too)

    patches.replace(tpool, "execute", here)
    patches.replace(tpool, "Proxy", same)
    patches.replace(tpool, "set_num_threads", lambda count: None)
    for module in (eventlet, greenthread):
        patches.replace(module, "sleep", sleep)


def threaded() -> type:
    """The managers that have threads: of volumes and of backups."""
    from cinder import manager

    found: type = getattr(manager, "SizedThreadPoolManager", manager.ThreadPoolManager)
    return found


def run_at_once(patches: Patches, manager: type) -> None:
    """What a manager leaves to its threads is done by the task that asked for it."""

    def at_once(self: Any, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        function(*arguments, **keywords)

    patches.replace(manager, "_init_pool", lambda self, workers: None)
    patches.replace(manager, "_add_to_threadpool", at_once)


def place(context: Any, volume: Any, host: str, zone: str) -> Any:
    """What the scheduler notes of a volume once it has chosen a pool; the volume as it is then."""
    from cinder.scheduler import driver

    note = driver.volume_update_db
    known = {"volume": volume} if "volume" in inspect.signature(note).parameters else {}
    return note(context, volume.id, host, None, availability_zone=zone, **known)


def first_of(*names: str) -> ModuleType:
    """The first module that there is. ModuleNotFoundError says what is missing, be it of a module's own."""
    for name in names[:-1]:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if not name.startswith(error.name or "?"):
                raise  # it is there, and something that it needs is not
    return importlib.import_module(names[-1])
