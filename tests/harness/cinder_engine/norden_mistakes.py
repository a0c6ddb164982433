"""The example's driver with one mistake each: what Crucible must find, and survive.

Named in the cinder.conf of `test_foreign`. Not a test itself.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from cinder import exception, utils
from cinder.volume.drivers.lvm import LVMVolumeDriver
from norden.driver import NordenISCSIDriver
from norden.testing import NordenArray
from oslo_config import cfg

from fake_backends.command_line import Result
from fake_backends.host.commands import Program
from fake_backends.world import Node


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


class NeedsLibrary(NordenISCSIDriver):
    """Imports what is not there when it is set up."""

    def do_setup(self, context: Any) -> None:
        importlib.import_module("no_such_library")


class WantsOption(NordenISCSIDriver):
    """Asks oslo.config for an option that has no value."""

    def do_setup(self, context: Any) -> None:
        raise cfg.RequiredOptError("norden_tier", cfg.OptGroup("mine"))


class Alone(NordenISCSIDriver):
    """Has no fake of its array."""


class NoDriver:
    """Something else."""


class TalkativeArray(NordenArray):
    """The array with an SDK, a command line over SSH, and a program on each host."""

    @classmethod
    def modules(cls, current: Callable[[], Any]) -> dict[str, ModuleType]:
        sdk = ModuleType("norden_sdk")
        vars(sdk)["pool"] = lambda: current().pool
        return {"norden_sdk": sdk}

    def ssh(self, command: str, user: str) -> Result:
        return Result(f"{user} says {command}\n")

    def programs(self, node: Node) -> dict[str, Program]:
        return {"norden-agent": lambda arguments, given: Result(f"{node.hostname} {' '.join(arguments)}\n")}


class Talkative(NordenISCSIDriver):
    """No mistake: it talks to its array in every way that there is."""

    def check_for_setup_error(self) -> None:
        norden_sdk = importlib.import_module("norden_sdk")
        super().check_for_setup_error()
        stdout, _ = utils.execute("norden-agent", "status", run_as_root=True)
        said = (norden_sdk.pool(), self._execute("show", "pools")[0].strip(), stdout.strip())
        if said != ("pool-1", "admin says show pools", "node1 status"):
            raise exception.VolumeBackendAPIException(data=said)


class OwnLvm(LVMVolumeDriver):
    """Cinder's own, under another name."""
