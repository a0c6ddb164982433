"""What Cinder and its libraries do to a process when they are imported, or ask of it."""

from __future__ import annotations

import time

from oslo_utils import netutils

from harness.cinder_engine.seams.patches import Patches

ADDRESS = "192.0.2.254"
"""The default of `my_ip`, which would be this machine's."""


def install(patches: Patches) -> None:
    """Before the first of them is imported, so that all of it is undone in the end."""
    patches.environment("OS_CINDER_DISABLE_EVENTLET_PATCHING", "1")
    patches.environment("EVENTLET_NO_GREENDNS", "yes")  # as Cinder sets it
    patches.replace(time, "sleep", time.sleep)  # noqa: TID251  (os-brick has one of its own)
    patches.replace(netutils, "get_my_ipv4", lambda: ADDRESS)
