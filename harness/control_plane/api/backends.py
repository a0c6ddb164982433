"""What operators do to back-ends: freeze, thaw, fail over; and to clusters.

Sources: `cinder.volume.api:API.freeze_host`, `thaw_host` and `failover`, `cinder.api.v3.clusters`.
"""

from __future__ import annotations

from harness import errors
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.policy import require_admin
from harness.control_plane.tables import Row
from harness.model import Cluster, Context, Service


class Backends(Chapter):
    """One service is named by its host, or all of a cluster by the cluster."""

    def freeze_host(self, context: Context, host: str | None, cluster: str | None = None) -> None:
        """Refuse changes on a back-end; its service is told, and disables itself."""
        require_admin(context, "volume:freeze_host")
        queue = self._change_services(host, cluster, "frozen", (False,), new=True)
        self.cloud.messaging.call(queue, "freeze_host")

    def thaw_host(self, context: Context, host: str | None, cluster: str | None = None) -> str | None:
        """Allow changes again. Returns what to tell the operator if the driver fails and it stays disabled."""
        require_admin(context, "volume:thaw_host")
        queue = self._change_services(host, cluster, "frozen", (True,), new=False)
        if not self.cloud.messaging.call(queue, "thaw_host"):
            return "Backend reported error during thaw_host operation."
        return None

    def failover_host(
        self, context: Context, host: str | None, cluster: str | None = None, backend_id: str | None = None
    ) -> None:
        """To the replica `backend_id`, or back (``default``). InvalidInput unless it replicates and is up."""
        require_admin(context, "volume:failover_host")
        expected = ("enabled", "failed-over")
        queue = self._change_services(
            host, cluster, "replication_status", expected, new="failing-over", must_be_up=True
        )
        self.cloud.messaging.cast(queue, "failover", backend_id)

    def set_cluster_disabled(
        self, context: Context, name: str, *, disabled: bool, reason: str | None = None
    ) -> Cluster:
        """Whether the scheduler may use a cluster. ClusterNotFound as NotFoundError."""
        require_admin(context, "clusters:update")
        if name not in self.cloud.database.clusters:
            raise errors.NotFoundError(f"Cluster {name} could not be found.")
        cluster = Cluster.from_row(self.cloud.database.clusters[name], self.cloud.database)
        cluster.update({"disabled": disabled, "disabled_reason": reason})
        cluster.save()
        return cluster

    def _change_services(
        self,
        host: str | None,
        cluster: str | None,
        field: str,
        expected: tuple[bool | str, ...],
        *,
        new: bool | str,
        must_be_up: bool = False,
    ) -> str:
        """Write a field of a service, or of a cluster and all of its services (`_replication_db_change`).

        Returns the queue of the first one that changed. InvalidInput if none could be, or the cluster not.
        """
        database = self.cloud.database
        named = ("host", host) if host else ("cluster_name", cluster)
        rows = [row for row in database.services.values() if row[named[0]] == named[1]]
        if not rows:
            raise errors.Invalid(f"No service found with {named[0].removesuffix('_name')}={named[1]}")
        name = rows[0]["cluster_name"]
        if name:
            rows = [row for row in database.services.values() if row["cluster_name"] == name]
        up = {row["host"]: not must_be_up or self.cloud.is_up(row["host"]) for row in rows}
        if name:
            record = Cluster.from_row(database.clusters[name], database)
            if not (any(up.values()) and database.conditional_update(record, {field: new}, {field: expected})):
                raise errors.InvalidInput(reason=_refusal(field, name, expected, must_be_up=must_be_up))
        changed: list[Row] = []
        for row in rows:
            service = Service.from_row(row, database)
            if up[row["host"]] and database.conditional_update(service, {field: new}, {field: expected}):
                changed.append(row)
        if not changed:
            refusal = _refusal(field, [row["host"] for row in rows], expected, must_be_up=must_be_up)
            raise errors.InvalidInput(reason=f"No service could be changed: {refusal}")
        return str(name or changed[0]["host"])


def _refusal(field: str, who: object, expected: tuple[bool | str, ...], *, must_be_up: bool) -> str:
    """In Cinder's words, which speak of a failover whatever was asked for."""
    wanted = str(expected[0] if len(expected) == 1 else list(expected))
    return f"{field} in {who} must be {wanted} {'and must be up ' if must_be_up else ''}to failover."
