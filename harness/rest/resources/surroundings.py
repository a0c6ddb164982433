"""Availability zones, resource filters, extensions: what there is around the volumes.

Sources: `cinder.api.contrib.availability_zones`, `cinder.api.v3.resource_filters`, `cinder.api.extensions`.
"""

from __future__ import annotations

from typing import Any

from harness.rest.faults import Fault
from harness.rest.filters import ALLOWED
from harness.rest.operations import Operation
from harness.rest.requests import Request

View = dict[str, Any]

EXTENSIONS: tuple[tuple[str, str, str, str], ...] = (
    ("os-admin-actions", "AdminActions", "Enable admin actions.", "2012-08-25T00:00:00+00:00"),
    ("os-availability-zone", "AvailabilityZones", "Describe Availability Zones.", "2013-06-27T00:00:00+00:00"),
    ("backups", "Backups", "Backups support.", "2012-12-12T00:00:00+00:00"),
    ("capabilities", "Capabilities", "Capabilities support.", "2015-08-31T00:00:00+00:00"),
    ("os-extended-services", "ExtendedServices", "Extended services support.", "2014-01-10T00:00:00-00:00"),
    (
        "os-extended-snapshot-attributes", "ExtendedSnapshotAttributes", "Extended SnapshotAttributes support.",
        "2012-06-19T00:00:00+00:00",
    ),
    ("os-hosts", "Hosts", "Admin-only host administration.", "2011-06-29T00:00:00+00:00"),
    ("qos-specs", "Qos_specs_manage", "QoS specs support.", "2013-08-02T00:00:00+00:00"),
    ("os-quota-class-sets", "QuotaClasses", "Quota classes management support.", "2012-03-12T00:00:00+00:00"),
    ("os-quota-sets", "Quotas", "Quota management support.", "2011-08-08T00:00:00+00:00"),
    ("scheduler-stats", "Scheduler_stats", "Scheduler stats support.", "2014-09-07T00:00:00+00:00"),
    ("os-services", "Services", "Services support.", "2012-10-28T00:00:00-00:00"),
    ("os-snapshot-actions", "SnapshotActions", "Enable snapshot manager actions.", "2013-07-16T00:00:00+00:00"),
    ("os-types-extra-specs", "TypesExtraSpecs", "Type extra specs support.", "2011-08-24T00:00:00+00:00"),
    ("os-types-manage", "TypesManage", "Types manage support.", "2011-08-24T00:00:00+00:00"),
    ("os-used-limits", "UsedLimits", "Provide data on limited resources that are being used.",
     "2013-10-03T00:00:00+00:00"),
    ("os-volume-actions", "VolumeActions", "Enable volume actions.", "2012-05-31T00:00:00+00:00"),
    ("os-vol-host-attr", "VolumeHostAttribute", "Expose host as an attribute of a volume.",
     "2011-11-03T00:00:00+00:00"),
    ("os-vol-mig-status-attr", "VolumeMigStatusAttribute",
     "Expose migration_status as an attribute of a volume.", "2013-08-08T00:00:00+00:00"),
    ("os-vol-tenant-attr", "VolumeTenantAttribute",
     "Expose the internal project_id as an attribute of a volume.", "2011-11-03T00:00:00+00:00"),
    ("os-volume-transfer", "VolumeTransfer", "Volume transfer management support.",
     "2013-05-29T00:00:00+00:00"),
    ("os-volume-type-access", "VolumeTypeAccess", "Volume type access support.", "2014-06-26T00:00:00Z"),
    ("encryption", "VolumeTypeEncryption", "Encryption support for volume types.",
     "2013-07-01T00:00:00+00:00"),
)  # fmt: skip
"""Alias, name, description and date of Cinder's standard extensions that are served here."""


def zones(request: Request) -> View:
    """List availability zones."""
    found: dict[str, bool] = {}
    for row in request.cloud.database.services.values():
        if row["binary"] == "cinder-volume":
            name = row["availability_zone"]
            found[name] = found.get(name, False) or not row["disabled"]
    return {
        "availabilityZoneInfo": [
            {"zoneName": name, "zoneState": {"available": available}} for name, available in found.items()
        ]
    }


def resource_filters(request: Request) -> View:
    """List what lists may be filtered by."""
    resource = request.query.get("resource")
    return {
        "resource_filters": [
            {"resource": name, "filters": list(filters)}
            for name, filters in ALLOWED.items()
            if resource in (None, name)
        ]
    }


def extensions(request: Request) -> View:
    """List extensions."""
    return {"extensions": [_extension(*each) for each in EXTENSIONS]}


def extension(request: Request) -> View:
    """Show an extension."""
    for each in EXTENSIONS:
        if each[0] == request.path["alias"]:
            return {"extension": _extension(*each)}
    raise Fault(404)


def _extension(alias: str, name: str, description: str, updated: str) -> View:
    return {"name": name, "alias": alias, "description": description, "updated": updated, "links": []}


OPERATIONS = (
    Operation(method="GET", path="/os-availability-zone", handler=zones),
    Operation(method="GET", path="/resource_filters", handler=resource_filters, since=33, query=("resource",)),
    Operation(method="GET", path="/extensions", handler=extensions),
    Operation(method="GET", path="/extensions/{alias}", handler=extension),
)
