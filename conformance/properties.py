"""What an object in the back-end is like, beyond its bytes: provisioning, limits, features.

Laws about types compare these. The reference back-ends can be looked into; for a driver of another kind the
subject would have to say, so such laws are skipped there.
"""

from __future__ import annotations

from typing import Any

from fake_backends.world import World
from harness.control_plane.deployment import BackendPlan


def inventory(world: World, plan: BackendPlan, driver: Any) -> list[str] | None:
    """Names of what is in a back-end, told by its driver (`objects`) or the fake of its array; else None."""
    listing = getattr(driver, "objects", None)
    if not callable(listing) and plan.array is not None:
        listing = world.arrays[plan.array_name].objects
    told = listing() if callable(listing) else None
    return None if told is None else list(told)


def properties(world: World, plan: BackendPlan, name: str) -> dict[str, Any] | None:
    """Of the object `name` of this back-end; None where nobody can tell."""
    if plan.kind == "rbd":
        image = world.cluster(plan.cluster or "").pool(plan.configuration.rbd_pool).image(name)
        limits = {key: value for key, value in image.metadata.items() if key.startswith("conf_")}
        return {"limits": limits, "features": image.features, "order": image.order}
    if plan.kind == "lvm":
        group = world.node(plan.node).volume_groups[plan.configuration.volume_group]
        return {"provisioning": type(group.volume(name)).__name__}
    return None
