"""Chains of clones as Cinder makes them: through a snapshot of the source named ``<clone>.clone_snap``.

Source: `cinder.volume.drivers.rbd:RBDDriver.create_cloned_volume`, `_get_clone_info`,
`_delete_clone_parent_refs` and `_flatten_children`.
"""

from __future__ import annotations

from collections.abc import Callable

from fake_backends.rbd.handle import ImageHandle
from fake_backends.rbd.layers import Layer
from fake_backends.rbd.pool import Pool
from harness.errors import CrucibleError, NotFound, VolumeBackendAPIException


def cloned_from(layer: Layer, name: str) -> tuple[str, str] | None:
    """Parent image and snapshot, if image `name` was cloned from a volume, and not from a user's snapshot."""
    parent = layer.parent
    if parent is None or parent.snapshot.name != f"{name.removesuffix('.deleted')}.clone_snap":
        return None
    return parent.image.name, parent.snapshot.name


def clone_depth(pool: Pool, name: str) -> int:
    """How many ancestors a volume has."""
    depth = 0
    parent = cloned_from(pool.image(name).head, name)
    while parent is not None:
        depth += 1
        parent = cloned_from(pool.image(parent[0]).head, parent[0])
    return depth


def clone_through(pool: Pool, source: ImageHandle, snapshot: str, name: str) -> None:
    """Snapshot the source and clone that. VolumeBackendAPIException, with the snapshot removed again."""
    image = source.image
    try:
        image.create_snapshot(snapshot)
        image.protect_snapshot(snapshot)
        pool.clone(image.name, snapshot, name)
    except CrucibleError as error:
        remove_protected(source, snapshot)
        raise VolumeBackendAPIException(
            data=f"Failed to clone '{image.name}@{snapshot}' to '{name}', error: {error}"
        ) from error


def flatten_clone(pool: Pool, source: ImageHandle, snapshot: str, name: str) -> None:
    """Make a clone independent and remove the snapshot that it came from. VolumeBackendAPIException."""
    try:
        with pool.open(name) as clone:
            clone.image.flatten()
    except CrucibleError as error:
        raise VolumeBackendAPIException(data=f"Failed to flatten volume {name} with error: {error}.") from error
    try:
        remove_protected(source, snapshot)
    except CrucibleError as error:
        raise VolumeBackendAPIException(
            data=f"Failed to remove temporary snap {snapshot}, error: {error}"
        ) from error


def remove_protected(source: ImageHandle, snapshot: str) -> None:
    """Unprotect a snapshot and remove it."""
    source.image.unprotect_snapshot(snapshot)
    source.image.remove_snapshot(snapshot)


def delete_parent_refs(pool: Pool, name: str, snapshot: str, *, discard: Callable[[Pool, str], None]) -> None:
    """Up the chain: remove the snapshots made for clones, and `discard` parents that were kept for them."""
    with pool.open(name) as handle:
        grandparent = cloned_from(handle.image.snapshot(snapshot), name)
        remove_protected(handle, snapshot)
        has_snapshots = bool(handle.image.snapshots)
    if has_snapshots or not name.endswith(".deleted"):
        return
    discard(pool, name)
    if grandparent is not None:
        delete_parent_refs(pool, *grandparent, discard=discard)


def flatten_children(pool: Pool, name: str, snapshot: str | None = None) -> None:
    """Make the clones of one snapshot, or of all, independent."""
    with pool.open(name) as handle:
        children = [(child.pool, child.name) for child in handle.image.children(snapshot)]
    for child_pool, child in children:
        flatten(child_pool, child)


def flatten(pool: Pool, name: str) -> None:
    """Make a clone independent; one that is gone is fine."""
    try:
        with pool.open(name) as handle:
            handle.image.flatten()
    except NotFound:
        return
