"""Which Cinder is installed, told without importing it."""

from __future__ import annotations

from importlib import metadata

from harness.errors import InputError

OLDEST, NEWEST = 22, 29
"""Releases that the seams are known for: Antelope to 2026.2."""
EXTRA = "pip install 'cinder-crucible[cinder]'"


def installed() -> str | None:
    """The version of the installed Cinder, such as ``29.0.0``; None without one."""
    try:
        return metadata.version("cinder")
    except metadata.PackageNotFoundError:
        return None


def require(asker: str = "--engine cinder") -> str:
    """The installed version. InputError, with what to install, if there is none or none that is supported."""
    return supported(installed(), asker)


def supported(version: str | None, asker: str = "--engine cinder") -> str:
    """The version itself, if the seams are known for it; else InputError, which says who asks for it."""
    if version is None:
        raise InputError(f"{asker} needs Cinder, which is not installed: {EXTRA}")
    major = version.partition(".")[0]
    if not (major.isdigit() and OLDEST <= int(major) <= NEWEST):
        raise InputError(f"Cinder {version} is installed, but {asker} needs {OLDEST} to {NEWEST}: {EXTRA}")
    return version
