"""Drivers that say something wrong of connections, exports and capacity."""

from __future__ import annotations

from typing import Any

from fake_backends.lvm.driver import LvmDriver
from fake_backends.rbd.driver import RbdDriver
from harness.errors import VolumeBackendAPIException
from tests.conformance.mutants.planted import mutant

SPEAKS = "connections/connection_info_speaks_of_its_volume"


@mutant("never-encrypted", SPEAKS, "says that nothing is encrypted")
class NeverEncrypted(LvmDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        return {**info, "data": {**info["data"], "encrypted": False}}


@mutant("read-only", SPEAKS, "says that every connection is read-only")
class ReadOnly(RbdDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        return {**info, "data": {**info["data"], "access_mode": "ro"}}


@mutant("connects-name-id", SPEAKS, "says the id of the object in place of the volume's")
class ConnectsNameId(RbdDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        return {**info, "data": {**info["data"], "volume_id": volume.name_id}}


@mutant("single-path", "connections/a_host_with_multipath_is_connected", "refuses hosts with multipath")
class SinglePath(LvmDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        if connector.get("multipath"):
            raise VolumeBackendAPIException(data="multipath")
        return super().initialize_connection(volume, connector)


@mutant(
    "shared-with-others",
    "connections/two_volumes_can_be_connected_on_one_host",
    "takes the attachments of all volumes for those of one",
)
class SharedWithOthers(LvmDriver):
    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> bool:
        super().terminate_connection(volume, connector, **kwargs)
        return len(volume._store.attachments) > 1


@mutant(
    "takes-any-connector",
    "connections/a_connector_without_what_is_needed_is_refused",
    "lets any connector pass",
)
class TakesAnyConnector(LvmDriver):
    def validate_connector(self, connector: Any) -> None:
        return None


@mutant("access-stays", "multiattach/a_host_that_is_gone_is_out", "leaves a host its access that has gone")
class AccessStays(LvmDriver):
    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> bool:
        attached = len(volume.volume_attachment)
        return attached > 1 or super().terminate_connection(volume, connector, **kwargs)


@mutant("few-targets", "volumes/many_volumes_share_nothing", "has sixteen targets, and uses them again")
class FewTargets(LvmDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        targets = list(self.node.targets.targets)
        place = targets.index(info["data"]["target_iqn"])
        return {**info, "data": {**info["data"], "target_iqn": targets[place % 16]}}


@mutant("wrong-unit", "volumes/what_is_written_is_read_again", "counts the disks of a target from one")
class CountsFromOne(LvmDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        return {**info, "data": {**info["data"], "target_lun": info["data"]["target_lun"] + 1}}


@mutant("ensure-shuts-out", "exports/ensuring_keeps_connections", "ensure_export forgets who was let in")
class EnsureShutsOut(LvmDriver):
    def ensure_export(self, context: Any, volume: Any) -> None:
        super().ensure_export(context, volume)
        for target in self.node.targets.targets.values():
            if volume.name in target.iqn and target.allowed is not None:
                target.allowed.clear()


@mutant(
    "uneven-paths", "connections/a_host_with_multipath_is_connected", "tells several portals, and one target"
)
class UnevenPaths(LvmDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        info["data"].pop("target_iqns", None)
        return info


CONFIGURED = "exports/an_export_is_as_it_is_configured"


@mutant("first-portal", CONFIGURED, "tells no portal but the first")
class FirstPortal(LvmDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        lists = ("target_portals", "target_iqns", "target_luns")
        return {**info, "data": {**info["data"], **{key: info["data"].get(key, [])[:1] for key in lists}}}


@mutant(
    "tgt-other-secret", CONFIGURED, "exports with new credentials where the helper is tgtadm", on="lvm-thin"
)
class TgtOtherSecret(LvmDriver):
    def ensure_export(self, context: Any, volume: Any) -> None:
        if self.configuration.safe_get("target_helper") == "tgtadm":
            self.exports._create(volume, self.group, ("new", "secret"))
        super().ensure_export(context, volume)


LOST = "restart/exports_outlive_their_node"


@mutant("ensure-nothing", LOST, "ensure_export does nothing")
class EnsuresNothing(LvmDriver):
    def ensure_export(self, context: Any, volume: Any) -> None:
        return None


@mutant("ensure-by-id", LOST, "ensure_export exports what the id names")
class EnsuresById(LvmDriver):
    def ensure_export(self, context: Any, volume: Any) -> None:
        if f"volume-{volume.id}" in self.group:
            super().ensure_export(context, volume)


@mutant("ensure-other-secret", LOST, "ensure_export makes new credentials")
class EnsuresOtherSecret(LvmDriver):
    def ensure_export(self, context: Any, volume: Any) -> None:
        self.exports._create(volume, self.group, ("new", "secret"))


@mutant(
    "ensure-nothing-in-use", "in use/a_guest_comes_back_with_the_storage_node", "ensure_export does nothing"
)
class EnsuresNothingInUse(EnsuresNothing):
    pass


@mutant(
    "ensure-forgets-secret", "restart/every_attached_volume_stays_connected", "takes the credentials off record"
)
class EnsureForgets(LvmDriver):
    def ensure_export(self, context: Any, volume: Any) -> Any:
        super().ensure_export(context, volume)
        return {"provider_auth": None}


# --------------------------------------------------------------------------------------------------- stats


@mutant("capacity-mebibytes", "stats/what_is_written_takes_about_its_size", "capacities are MiB")
class CapacityMebibytes(RbdDriver):
    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        stats = super().get_volume_stats(refresh)
        return {**stats, **{key: stats[key] * 1024 for key in ("free_capacity_gb", "total_capacity_gb")}}


class WithPool(LvmDriver):
    """A pool with something changed."""

    def changed(self, pool: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def _fresh_stats(self) -> dict[str, Any]:
        stats = super()._fresh_stats()
        return {**stats, "pools": [{**pool, **self.changed(pool)} for pool in stats["pools"]]}


@mutant("counts-nothing", "stats/volumes_are_counted", "counts no volumes")
class CountsNothing(WithPool):
    def changed(self, pool: dict[str, Any]) -> dict[str, Any]:
        return {"total_volumes": 0}


@mutant("reserves-itself", "stats/what_is_configured_is_reported", "takes what is reserved off what is free")
class ReservesItself(WithPool):
    def changed(self, pool: dict[str, Any]) -> dict[str, Any]:
        reserved = pool["total_capacity_gb"] * pool["reserved_percentage"] / 100
        return {"free_capacity_gb": round(pool["free_capacity_gb"] - reserved, 2)}


@mutant("no-filter", "stats/what_is_configured_is_reported", "forgets the filter function")
class NoFilter(WithPool):
    def changed(self, pool: dict[str, Any]) -> dict[str, Any]:
        return {"filter_function": None}
