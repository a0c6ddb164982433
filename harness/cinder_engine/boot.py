"""One process with Cinder in it: environment, seams, configuration, database template and REST application.

This is done once, in about two seconds; a cell then takes the empty database from a template. A process runs
the cells of one deployment, one after another. `Process.close` undoes every replacement, but the modules stay
imported: `harness.cinder_engine.engine` therefore runs cells in interpreters of their own.
"""

from __future__ import annotations

import gc
import logging
import sqlite3
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from fake_backends import array
from harness.cinder_engine.configuration import cinder_conf
from harness.cinder_engine.masking import Mask, secrets_of
from harness.cinder_engine.release import require
from harness.cinder_engine.scratch import scratch
from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage
from harness.control_plane.deployment import Deployment

if TYPE_CHECKING:
    from harness.cinder_engine.seams.database import Template

Drivers = Literal["cinder", "reference"]


class Process:
    """Cinder, ready to run cells of `deployment`. Use it in a ``with``.

    `release` is Cinder's version, `application` its REST API, `stage` what the seams look at.
    """

    def __init__(self, deployment: Deployment, *, drivers: Drivers = "cinder") -> None:
        """`drivers` says whose drivers run: Cinder's own, or Crucible's reference drivers."""
        self.deployment = deployment
        self.drivers = drivers
        self.release = require()
        self.stage = Stage()
        self.patches = Patches()
        self._overridden: list[tuple[str, str]] = []
        self._ending = ExitStack()
        self.home = self._ending.enter_context(scratch())
        try:
            with uncollected():
                self._import()
                self._configure()
                self._template = self._make_database()
                self.application = self._make_application()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Put everything back as it was before."""
        self.patches.undo()
        self._ending.close()

    # ------------------------------------------------------------------------------------------- start-up

    def _import(self) -> None:
        """In this order: no eventlet, native threads, no processes; only then Cinder."""
        from harness.cinder_engine.seams import imports

        imports.install(self.patches)
        with warnings.catch_warnings():
            # Eventlet says at import that it is deprecated; Cinder's message is not our users'.
            warnings.simplefilter("ignore")
            from oslo_service import backend

            backend.init_backend(backend.BackendType.THREADING)
            from harness.cinder_engine.seams import ceph, commands, database, logs, releases

            database.install(self.patches)
            releases.leave_eventlet_out(self.patches)
            logs.install(self.patches, self.stage)
            commands.install(self.patches, self.stage)
            self.ceph = ceph.install(self.patches, self.stage)
            from cinder import objects

            objects.register_all()

            from harness.cinder_engine.seams import (
                clock,
                connectors,
                copying,
                files,
                images,
                locks,
                loops,
                network,
                services,
            )

            commands.install_privileges(self.patches)
            ceph.install_connector(self.patches)
            for seam in (clock, locks, services, images, connectors, copying, files, network, loops):
                seam.install(self.patches, self.stage)
            self._offer_modules()

    def _offer_modules(self) -> None:
        """What stands for the vendors' SDKs. InputError if a fake of an array cannot be imported."""
        for path in dict.fromkeys(plan.array for plan in self.deployment.backends if plan.array):
            fake = array.load(path)
            for name, module in fake.modules(lambda: self.stage.array).items():
                self.patches.module(name, module)
            fake.install(self.patches.replace, lambda: self.stage.array)

    def _configure(self) -> None:
        from oslo_config import cfg
        from oslo_messaging.notify import notifier

        from harness.cinder_engine.seams import releases

        cfg.CONF.register_opts(notifier._notifier_opts, group="oslo_messaging_notifications")
        path = self.home / "cinder.conf"
        replaced: dict[str, str] = {}
        if self.drivers == "reference":
            from harness.cinder_engine import reference_driver

            replaced = reference_driver.install(self.patches, self.stage)
        path.write_text(cinder_conf(self.deployment, self.home, replaced), encoding="utf-8")
        self.stage.mask = Mask(secrets_of(self.deployment))
        (self.home / "conversion").mkdir()
        (self.home / "policy.yaml").write_text("{}\n", encoding="utf-8")
        cfg.CONF(
            args=[], project="cinder", default_config_files=[str(path)], default_config_dirs=[], use_env=False
        )
        releases.configure_database(cfg.CONF)

    def override(self, section: str, name: str, value: Any) -> None:
        """Set an option over what cinder.conf says, until `as_written`."""
        from oslo_config import cfg

        cfg.CONF.set_override(name, value, group=section)
        self._overridden.append((section, name))

    def as_written(self) -> None:
        """Every option is again as cinder.conf says."""
        from oslo_config import cfg

        for section, name in self._overridden:
            cfg.CONF.clear_override(name, group=section)
        self._overridden.clear()

    def _make_database(self) -> Template:
        """Cinder's own migrations, once; the result is the template of every cell."""
        from cinder.db import migration

        from harness.cinder_engine.seams.database import Template

        alembic = logging.getLogger("alembic")
        self.patches.later(partial(alembic.setLevel, alembic.level))
        alembic.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            migration.db_sync()
        return Template(self.connection)

    def _make_application(self) -> Any:
        """The v3 router behind the middleware that turns exceptions into answers."""
        from cinder import rpc
        from cinder.api.middleware.fault import FaultWrapper
        from cinder.api.v3.router import APIRouter

        rpc.set_defaults(control_exchange="cinder")
        return FaultWrapper(APIRouter())

    # -------------------------------------------------------------------------------------------- database

    @property
    def connection(self) -> sqlite3.Connection:
        """The one connection behind Cinder's sessions."""
        from harness.cinder_engine.seams import releases

        raw: sqlite3.Connection = releases.database().get_engine().raw_connection().driver_connection
        return raw

    def restore_database(self) -> None:
        """Empty, as after ``cinder-manage db sync``."""
        self._template.restore(self.connection)
        # What a service cached about its peers is of another cell.
        rpc = sys.modules["cinder.rpc"]
        rpc.LAST_OBJ_VERSIONS.clear()
        rpc.LAST_RPC_VERSIONS.clear()


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for cyclic garbage: next to nothing of what an import makes is any, and to look takes a third
    of the time.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
