"""Faults in connections, exports and stats."""

from __future__ import annotations

from typing import Any

from fake_backends.lvm.driver import LvmDriver
from fake_backends.nfs.driver import NfsDriver
from fake_backends.rbd.driver import RbdDriver
from harness.errors import InvalidConnectorException, VolumeBackendAPIException
from tests.conformance.mutants.planted import mutant


@mutant("no-pool", "connections/connection_info_has_what_its_protocol_needs", "the image's name lacks the pool")
class NoPool(RbdDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        info["data"]["name"] = volume.name
        return info


@mutant("no-secret", "connections/connection_info_has_what_its_protocol_needs", "does not say which secret")
class NoSecret(RbdDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        del info["data"]["secret_uuid"]
        return info


@mutant("not-json", "connections/connection_info_is_json", "hosts are a set")
class NotJson(RbdDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        info["data"]["auth_methods"] = {"cephx"}
        return info


@mutant(
    "terminate-needs-connector", "connections/terminating_without_connector_succeeds", "connector None fails"
)
class NeedsConnector(RbdDriver):
    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> None:
        connector["host"]
        super().terminate_connection(volume, connector, **kwargs)


@mutant("terminate-without-force", "connections/terminate_takes_force", "does not take force")
class WithoutForce(RbdDriver):
    def terminate_connection(self, volume: Any, connector: Any) -> None:  # type: ignore[override]
        return None


@mutant("terminate-twice", "connections/terminating_twice_succeeds", "a connection ends only once")
class EndsOnce(RbdDriver):
    def do_setup(self, context: Any) -> None:
        self.connected: set[str] = set()

    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        self.connected.add(volume.id)
        return super().initialize_connection(volume, connector)

    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> None:
        self.connected.remove(volume.id)


@mutant("changes-connector", "connections/the_connector_is_not_changed", "changes the connector")
class ChangesConnector(LvmDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        connector.pop("multipath")
        return info


@mutant("never-the-same", "connections/connecting_twice_gives_the_same", "each answer is another")
class NeverTheSame(RbdDriver):
    count = 0

    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        self.count += 1
        info = super().initialize_connection(volume, connector)
        info["data"]["token"] = self.count
        return info


@mutant("refuses-connector", "connections/a_connector_of_os_brick_is_taken", "wants what os-brick does not say")
class RefusesConnector(RbdDriver):
    def validate_connector(self, connector: Any) -> None:
        if "array_key" not in connector:
            raise InvalidConnectorException(missing="array_key")


@mutant("wrong-lun", "connections/two_volumes_can_be_connected_on_one_host", "connects the volume before")
class ConnectsFirst(LvmDriver):
    def create_export(self, context: Any, volume: Any, connector: Any) -> Any:
        answer = super().create_export(context, volume, connector)
        first = min(self.node.targets.targets)
        return {**answer, "provider_location": answer["provider_location"].replace(
            "iqn.2010-10.org.openstack:" + volume.name, first
        )}  # fmt: skip


@mutant(
    "terminate-ends-all", "connections/terminating_for_a_stranger_harms_nobody", "ends the connections of all"
)
class EndsAll(LvmDriver):
    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> bool:
        for other in list(self.node.targets.targets[volume.provider_location.split(" ")[1]].allowed or ()):
            super().terminate_connection(volume, {"initiator": other}, **kwargs)
        return super().terminate_connection(volume, connector, **kwargs)


@mutant("old-signature", "interface/methods_take_what_the_manager_passes", "create_export takes no connector")
class OldSignature(LvmDriver):
    def create_export(self, context: Any, volume: Any) -> Any:  # type: ignore[override]
        return super().create_export(context, volume, {})


@mutant("no-version", "interface/a_driver_has_a_version", "has no version")
class NoVersion(RbdDriver):
    VERSION = None  # type: ignore[assignment]


@mutant(
    "servers-only", "images and backups/a_backup_of_a_volume_is_whole", "connects no host but those of servers"
)
class ServersOnly(LvmDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        if not connector["host"].startswith("compute"):
            raise VolumeBackendAPIException(data=f"unknown host {connector['host']}")
        return super().initialize_connection(volume, connector)


# ------------------------------------------------------------------------------------------------- exports


@mutant("export-once", "exports/exporting_again_changes_nothing", "a volume is exported only once")
class ExportsOnce(LvmDriver):
    def create_export(self, context: Any, volume: Any, connector: Any) -> Any:
        if any(volume.name in iqn for iqn in self.node.targets.targets):
            raise VolumeBackendAPIException(data="already exported")
        return super().create_export(context, volume, connector)


@mutant("export-anew", "exports/exporting_again_keeps_connections", "exports anew each time")
class ExportsAnew(LvmDriver):
    def create_export(self, context: Any, volume: Any, connector: Any) -> Any:
        self.exports.remove(volume)
        return super().create_export(context, volume, connector)


@mutant("unexport-absent", "exports/removing_an_absent_export_succeeds", "removing what is not exported fails")
class UnexportAbsent(LvmDriver):
    def remove_export(self, context: Any, volume: Any) -> None:
        if not volume.provider_location:
            raise VolumeBackendAPIException(data="not exported")
        super().remove_export(context, volume)


@mutant("unexport-nothing", "exports/removing_takes_the_target_away", "remove_export does nothing")
class UnexportsNothing(LvmDriver):
    def remove_export(self, context: Any, volume: Any) -> None:
        return None


@mutant("ensure-anew", "exports/ensuring_keeps_connections", "ensure_export exports anew")
class EnsuresAnew(LvmDriver):
    def ensure_export(self, context: Any, volume: Any) -> None:
        self.exports.remove(volume)
        self.exports.create(volume, self.group)


@mutant("ensure-fails", "restart/ensure_export_takes_what_is_not_exported", "ensure_export wants an export")
class EnsureFails(LvmDriver):
    def ensure_export(self, context: Any, volume: Any) -> None:
        if not any(volume.name in iqn for iqn in self.node.targets.targets):
            raise VolumeBackendAPIException(data="no target")


@mutant("detach-all", "multiattach/one_host_goes_and_the_others_stay", "says that an export is never shared")
class NeverShared(LvmDriver):
    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> bool:
        super().terminate_connection(volume, connector, **kwargs)
        return False


@mutant(
    "always-shared", "multiattach/the_last_host_takes_the_export_along", "says that an export is always shared"
)
class AlwaysShared(LvmDriver):
    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> bool:
        super().terminate_connection(volume, connector, **kwargs)
        return True


@mutant(
    "same-host", "multiattach/two_attachments_on_one_host_share_a_connection", "forgets the second attachment"
)
class ForgetsSecond(LvmDriver):
    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> bool:
        self.exports.terminate(volume, connector)
        return len(volume.volume_attachment) > 1


# --------------------------------------------------------------------------------------------------- stats


class WithStats(RbdDriver):
    """Stats with something changed."""

    CHANGED: dict[str, Any] = {}

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        return {**super().get_volume_stats(refresh), **self.CHANGED}


@mutant("free-exceeds-total", "stats/capacities_are_numbers_in_their_order", "more is free than there is")
class FreeExceedsTotal(WithStats):
    CHANGED = {"free_capacity_gb": 1e9}


@mutant("capacity-text", "stats/capacities_are_numbers_in_their_order", "capacities are texts")
class CapacityText(WithStats):
    CHANGED = {"total_capacity_gb": "1024"}


@mutant("boolean-text", "stats/capabilities_are_booleans", "multiattach is the text 'False'")
class BooleanText(WithStats):
    CHANGED = {"multiattach": "False"}


@mutant("own-name", "stats/the_back_end_has_its_configured_name", "reports a name of its own")
class OwnName(WithStats):
    CHANGED = {"volume_backend_name": "RBD"}


@mutant("reserved-text", "stats/provisioning_figures_make_sense", "reserved_percentage is a text")
class ReservedText(WithStats):
    CHANGED = {"reserved_percentage": "10"}


@mutant("ratio-below-one", "stats/provisioning_figures_make_sense", "max_over_subscription_ratio is below 1")
class RatioBelowOne(WithStats):
    CHANGED = {"max_over_subscription_ratio": 0.5}


@mutant("no-vendor", "stats/stats_say_who_reports", "reports no vendor")
class NoVendor(WithStats):
    CHANGED = {"vendor_name": None}


@mutant("other-version", "stats/the_version_is_that_of_the_class", "reports another version")
class OtherVersion(WithStats):
    CHANGED = {"driver_version": "0.0.1"}


@mutant("is-down", "stats/a_working_back_end_is_up", "is always down")
class IsDown(WithStats):
    CHANGED = {"backend_state": "down"}


@mutant("one-location", "stats/two_back_ends_have_two_locations", "every back-end is at one location")
class OneLocation(WithStats):
    CHANGED = {"location_info": "here"}


@mutant("cached-stats", "stats/a_volume_takes_its_size", "stats are those of the start")
class CachedStats(LvmDriver):
    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        return super().get_volume_stats(refresh=False)


@mutant("stats-in-place", "stats/stats_that_were_given_out_do_not_change", "changes stats that it gave out")
class StatsInPlace(LvmDriver):
    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        if refresh or not self._stats:
            self._stats.update(self._fresh_stats())
        return self._stats


@mutant("stats-grow", "stats/asking_again_gives_the_same", "each time more is provisioned")
class StatsGrow(NfsDriver):
    asked = 0

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        self.asked += 1
        return {**super().get_volume_stats(refresh), "provisioned_capacity_gb": self.asked}


@mutant("never-free", "stats/what_is_deleted_is_free_again", "deleted volumes go to the trash")
class NeverFree(RbdDriver):
    def delete_volume(self, volume: Any) -> None:
        if volume.name in self._pool():
            self._pool().create(f"trash-{volume.name}", 1 << 30)
            with self._pool().open(f"trash-{volume.name}") as handle:
                handle.write(0, b"x" * (16 << 20))
        super().delete_volume(volume)


@mutant("claims-thin", "stats/thin_volumes_take_no_space_yet", "says that thick volumes are thin")
class ClaimsThin(LvmDriver):
    def _fresh_stats(self) -> dict[str, Any]:
        stats = super()._fresh_stats()
        pools = [{**pool, "thin_provisioning_support": True} for pool in stats["pools"]]
        return {**stats, "pools": pools}


@mutant("ignores-reserved", "stats/what_is_configured_is_reported", "reserves nothing, whatever is configured")
class IgnoresReserved(WithStats):
    CHANGED = {"reserved_percentage": 0}


@mutant("one-pool-name", "stats/pools_have_names_of_their_own", "two pools of one name")
class OnePoolName(LvmDriver):
    def _fresh_stats(self) -> dict[str, Any]:
        stats = super()._fresh_stats()
        return {**stats, "pools": stats["pools"] * 2}
