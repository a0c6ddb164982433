"""A volume in the middle of a migration, on either engine: what the API then answers to users and admins.

`during_migration.json` has what is answered: request -> a word for each stage in the order of `STAGES`,
``allowed``, ``refused`` (400), or ``ignored`` (accepted, and nothing happens).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.control_plane.face import ControlPlane
from harness.model import Context

STAGES = ("unlocked", "locked", "in-use", "retyping", "temporary")
"""A copy of an available volume; the same with lock_volume; Nova's copy of one in use; the copy of a retype to
another back-end; and the temporary volume of the first."""
OWNER = Context("user", "project", is_admin=False)
ADMIN = Context("admin", "admin-project", is_admin=True)
COPYING_US = 3_000_000
"""So long after the request the copy of a GiB is under way, and far from its end."""


class Stage:
    """`volume_id` is what is asked about, `other_id` the other volume of the migration."""

    def __init__(self, name: str, cloud: ControlPlane, addresses: tuple[str, str]) -> None:
        """Bring a fresh cloud there; `addresses` are the pools that the volume goes between."""
        self.cloud = cloud
        self.kernel = cloud.simulation.kernel
        api = cloud.api
        volume = self._done(lambda: api.create_volume(OWNER, 1, host=addresses[0]))
        source = volume.id
        if name == "in-use":
            server = cloud.nova.create_server("server")
            self._done(lambda: cloud.nova.attach_volume(server, source))
        if name == "retyping":
            pool = addresses[1].partition("#")[2]
            cloud.create_type("elsewhere", extra_specs={"volume_backend_name": pool})
            self._begin(lambda: api.retype(OWNER, source, "elsewhere", "on-demand"))
        else:
            self._begin(lambda: api.migrate_volume(ADMIN, source, addresses[1], lock_volume=name == "locked"))
        self.kernel.run(horizon_us=self.kernel.now_us + COPYING_US)
        (temporary,) = [row_id for row_id in cloud.database.volumes if row_id != source]
        of_temporary = name == "temporary"
        self.volume_id: str = temporary if of_temporary else source
        self.other_id: str = source if of_temporary else temporary
        self.host, self.elsewhere = reversed(addresses) if of_temporary else addresses

    def _begin(self, function: Callable[[], Any]) -> Any:
        return self.kernel.spawn("user", function)

    def _done(self, function: Callable[[], Any]) -> Any:
        task = self._begin(function)
        self.kernel.run()
        if task.error is not None:
            raise task.error
        return task.result

    def now(self, function: Callable[[], Any]) -> Any:
        """Do something while everybody else stands still."""
        task = self._begin(function)
        self.kernel.run(horizon_us=self.kernel.now_us)
        if task.error is not None:
            raise task.error
        return task.result


def word(code: int, changed: bool, *, may_ignore: bool) -> str:
    """What the table says of an answer."""
    if code >= 400:
        return "refused" if code == 400 else str(code)
    return "ignored" if may_ignore and not changed else "allowed"
