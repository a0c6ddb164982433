"""Nova, as far as releases differ in swapping volumes.

Source: `nova.virt.libvirt.driver:LibvirtDriver.swap_volume` and `nova.compute.api:API.swap_volume`.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.errors import InputError


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

_RELEASES = {range(12, 21): "20", range(21, 23): "21", range(23, 29): "23", range(29, 34): "32"}


def nova_profile(release: int) -> str:
    """The profile that a release of Nova (its major version, such as 27) behaves as. InputError."""
    for releases, profile in _RELEASES.items():
        if release in releases:
            return profile
    first, last = min(map(min, _RELEASES)), max(map(max, _RELEASES))
    raise InputError(f"--nova {release} is not a known release of Nova; known are {first} to {last}")
