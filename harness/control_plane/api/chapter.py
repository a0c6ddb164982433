"""What every chapter of the API stands on: the cloud, and the volume that a request names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import errors
from harness.control_plane.policy import visible
from harness.model import Context, Volume, VolumeType, service_host

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud


class Chapter:
    """Actions of one kind. Every method authorises, checks, writes, and sends a message."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def get(self, context: Context, volume_id: str) -> Volume:
        """VolumeNotFound also for what belongs to another project."""
        volume = self.cloud.database.get_volume(volume_id)
        if not visible(context, volume):
            raise errors.VolumeNotFound(volume_id=volume_id)
        return volume

    def note(self, step: str, detail: str) -> None:
        """Something that the timeline should show."""
        self.cloud.simulation.record(step, detail)

    def require_thawed(self, volume: Volume) -> None:
        """InvalidInput if the volume's service is frozen (`ClusteredObject.assert_not_frozen`)."""
        if self.cloud.database.service(service_host(volume.host or "")).frozen:
            raise errors.InvalidInput(
                reason="Modification operations are not allowed on frozen storage backends."
            )


def check_size_limits(kind: VolumeType, size: int) -> None:
    """`cinder.volume.volume_types:provision_filter_on_size`."""
    lowest = kind.extra_specs.get("provisioning:min_vol_size")
    highest = kind.extra_specs.get("provisioning:max_vol_size")
    if lowest and size < int(lowest):
        raise errors.InvalidInput(
            reason=f"Specified volume size of {size} GB is less than the minimum required size of {lowest} GB "
            f"for volume type {kind.name}"
        )
    if highest and size > int(highest):
        raise errors.InvalidInput(
            reason=f"Specified volume size of {size} GB is greater than the maximum allowable size of "
            f"{highest} GB for volume type {kind.name}"
        )
