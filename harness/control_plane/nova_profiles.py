"""Nova, as far as releases differ in swapping volumes.

Source: `nova.virt.libvirt.driver:LibvirtDriver.swap_volume` and `nova.compute.api:API.swap_volume`.
"""

from __future__ import annotations

from typing import NamedTuple


class NovaProfile(NamedTuple):
    """What one range of releases does."""

    name: str
    needs_host_device: bool
    """The destination of a swap must have a device path on the compute host ("only host devices")."""
    only_for_cinder: bool
    """A swap is refused unless the volume's migration_status says that Cinder started it."""


PROFILES = {
    "20": NovaProfile("20", needs_host_device=True, only_for_cinder=False),
    "21": NovaProfile("21", needs_host_device=False, only_for_cinder=False),
    "23": NovaProfile("23", needs_host_device=False, only_for_cinder=False),
    "32": NovaProfile("32", needs_host_device=False, only_for_cinder=True),
}
