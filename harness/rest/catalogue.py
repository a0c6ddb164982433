"""All operations of the API, in the order in which the OpenAPI document shows them."""

from __future__ import annotations

from harness.rest.operations import Operation
from harness.rest.resources import (
    attachments,
    backups,
    clusters,
    default_types,
    groups,
    log_levels,
    managing,
    messages,
    metadata,
    qos_specs,
    quotas,
    services,
    snapshots,
    surroundings,
    transfers,
    type_specs,
    types,
    volume_actions,
    volumes,
    workers,
)

OPERATIONS: tuple[Operation, ...] = (
    *volumes.OPERATIONS,
    *volume_actions.OPERATIONS,
    *metadata.OPERATIONS,
    *snapshots.OPERATIONS,
    *attachments.OPERATIONS,
    *backups.OPERATIONS,
    *transfers.OPERATIONS,
    *groups.OPERATIONS,
    *messages.OPERATIONS,
    *managing.OPERATIONS,
    *types.OPERATIONS,
    *type_specs.OPERATIONS,
    *default_types.OPERATIONS,
    *qos_specs.OPERATIONS,
    *services.OPERATIONS,
    *log_levels.OPERATIONS,
    *clusters.OPERATIONS,
    *workers.OPERATIONS,
    *quotas.OPERATIONS,
    *surroundings.OPERATIONS,
)
