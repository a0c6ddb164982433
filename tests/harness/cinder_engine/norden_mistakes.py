"""The example's driver with one mistake each: what Crucible must find, and survive.

Named in the cinder.conf of `test_foreign`. Not a test itself.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from cinder import exception
from norden.driver import NordenISCSIDriver


class Forgets(NordenISCSIDriver):
    """Deletes nothing."""

    def delete_volume(self, volume: Any) -> None:
        """It is gone, is it not?"""


class KeepsExports(NordenISCSIDriver):
    """Withdraws no export."""

    def terminate_connection(self, volume: Any, connector: Any, **keywords: Any) -> None:
        """Who connects must know when to stop."""


class Hasty(NordenISCSIDriver):
    """Does not wait for tasks."""

    def _do(self, method: str, path: str, body: Any = None) -> None:
        self.client.request(method, path, body)


class FirstUnit(NordenISCSIDriver):
    """Takes all logical units for number 0."""

    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        info = super().initialize_connection(volume, connector)
        info["data"]["target_lun"] = 0
        return info


class LosesName(NordenISCSIDriver):
    """Renames nothing, and says that it did."""

    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> Any:
        return {"_name_id": None, "provider_location": None}


class Small(NordenISCSIDriver):
    """Makes volumes half as large."""

    def create_volume(self, volume: Any) -> None:
        body = {"name": volume.name, "pool": self.pool, "size": volume.size << 29}
        self._do("POST", "volumes", body)


class Leaves(NordenISCSIDriver):
    """Calls sys.exit where it should create, and has printed something before."""

    def create_volume(self, volume: Any) -> None:
        print("this is no place for a volume; the password is not-for-anybody")
        os.write(1, b"straight to the terminal\n")
        sys.exit("not today")


class Dies(NordenISCSIDriver):
    """Ends its process."""

    def create_volume(self, volume: Any) -> None:
        os._exit(7)


class Nonsense(NordenISCSIDriver):
    """Returns what nobody can use."""

    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        return {"driver_volume_type": "iscsi", "data": None}


class Refuses(NordenISCSIDriver):
    """Fails when it is set up."""

    def do_setup(self, context: Any) -> None:
        raise exception.VolumeBackendAPIException(data="the array is on strike; secret=not-for-anybody")


class Waits(NordenISCSIDriver):
    """Waits for an array that never is ready."""

    def check_for_setup_error(self) -> None:
        while True:
            time.sleep(60)  # noqa: TID251  (it is a driver, and runs under virtual time)


class LeavesAtOnce(NordenISCSIDriver):
    """Is gone before it is there."""

    def do_setup(self, context: Any) -> None:
        raise SystemExit(4)


class Rejects(NordenISCSIDriver):
    """Wants an option that the section has not."""

    def check_for_setup_error(self) -> None:
        raise exception.InvalidInput(reason="norden_tier must be set")


class NoDriver:
    """Something else."""
