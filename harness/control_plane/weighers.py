"""Which of the pools that may take a volume is best: Cinder's weighers and handlers, by their names.

Sources: `cinder.scheduler.weights`, `cinder.scheduler.base_weight`, `cinder.scheduler.host_manager`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple

from harness.control_plane.filters import DEFAULT_FILTERS
from harness.control_plane.functions import evaluate
from harness.control_plane.pools import UNMEASURED, PoolState, Request, virtual_free_capacity

DEFAULT_WEIGHERS = ("CapacityWeigher",)
ORDERED = "cinder.scheduler.weights.OrderedHostWeightHandler"
STOCHASTIC = "cinder.scheduler.weights.stochastic.StochasticHostWeightHandler"
HANDLERS = (ORDERED, STOCHASTIC)
"""What scheduler_weight_handler may be."""
_FARTHEST, _TIMES = 10_000, 100
"""How much better than the best known capacity an unknown one is, where little is wanted."""

Weigher = Callable[[Sequence[PoolState], Request, "Criteria"], list[float]]


class Criteria(NamedTuple):
    """How this scheduler chooses: names of filters and weighers, multipliers, and what else they look at.

    `volumes` says how many volumes a pool has, by its address.
    """

    filters: Sequence[str] = DEFAULT_FILTERS
    weighers: Sequence[str] = DEFAULT_WEIGHERS
    handler: str = ORDERED
    capacity: float = 1.0
    allocated: float = -1.0
    number: float = -1.0
    volumes: Callable[[PoolState], int] = lambda pool: 0
    chance: Random | None = None

    def multiplier(self, weigher: str) -> float:
        """What a weigher counts for; others than these count once."""
        known = {
            "CapacityWeigher": self.capacity,
            "AllocatedCapacityWeigher": self.allocated,
            "VolumeNumberWeigher": self.number,
        }
        return known.get(weigher, 1.0)


def weigh(pools: Iterable[PoolState], request: Request, criteria: Criteria = Criteria()) -> list[PoolState]:  # noqa: B008 (an immutable value)
    """The pools, best first; equals stay in the order given."""
    candidates = list(pools)
    if criteria.handler == STOCHASTIC:
        return _drawn(candidates, request, criteria)
    totals = [0.0] * len(candidates)
    for name in criteria.weighers if candidates else ():
        weights, multiplier = WEIGHERS[name](candidates, request, criteria), criteria.multiplier(name)
        low, high = float(min(weights)), float(max(weights))
        if low != high:
            totals = [
                total + multiplier * (weight - low) / (high - low)
                for total, weight in zip(totals, weights, strict=True)
            ]
    order = sorted(range(len(candidates)), key=totals.__getitem__, reverse=True)
    return [candidates[n] for n in order]


def _drawn(pools: list[PoolState], request: Request, criteria: Criteria) -> list[PoolState]:
    """By lot, a pool's chance being its weight; the others follow it in their order."""
    if not pools:
        return []
    totals = [0.0] * len(pools)
    for name in criteria.weighers:
        weights, multiplier = WEIGHERS[name](pools, request, criteria), criteria.multiplier(name)
        totals = [total + multiplier * weight for total, weight in zip(totals, weights, strict=True)]
    drawn = _random(criteria) * sum(totals)
    reached = 0.0
    winner = 0
    for number, total in enumerate(totals):
        reached += total
        if reached > drawn:
            winner = number
            break
    return pools[winner:] + pools[:winner]


def _random(criteria: Criteria) -> float:
    return criteria.chance.random() if criteria.chance is not None else 0.0


def _capacity(pools: Sequence[PoolState], request: Request, criteria: Criteria) -> list[float]:
    """Virtual free capacity. Pools that do not say how much they have come last, whatever is wanted."""
    unknown = -1.0 if criteria.capacity > 0 else math.inf
    weights = [
        unknown
        if pool.free_capacity_gb in UNMEASURED or pool.total_capacity_gb in UNMEASURED
        else virtual_free_capacity(pool, thin=request.is_thin)
        for pool in pools
    ]
    if math.inf not in weights:
        return weights
    # As in Cinder, this fails if nothing is known of any pool.
    highest = max(weight for weight in weights if weight != math.inf)
    farther = (highest - min(weights)) * _TIMES or _FARTHEST
    return [highest + farther if weight == math.inf else weight for weight in weights]


def _goodness(pools: Sequence[PoolState], request: Request, criteria: Criteria) -> list[float]:
    """What the back-end's own `goodness_function` says, 0 to 100; a function that fails says 0."""
    return [_rating(pool, request) for pool in pools]


def _rating(pool: PoolState, request: Request) -> float:
    function = pool.capabilities.get("goodness_function")
    if function is None:
        return 0
    return max(_rated(str(function), names) for names in request.names(pool, str(function)))


def _rated(function: str, names: Any) -> float:
    """TypeError, which nobody catches, for a text."""
    try:
        result = evaluate(function, names)
    except Exception:  # noqa: BLE001 (an operator may write anything)
        return 0
    if isinstance(result, bool):
        return 100 if result else 0
    return 0 if result < 0 or result > 100 else float(result)


WEIGHERS: Mapping[str, Weigher] = MappingProxyType({
    "AllocatedCapacityWeigher": lambda pools, request, criteria: [pool.allocated_capacity_gb for pool in pools],
    "CapacityWeigher": _capacity,
    "ChanceWeigher": lambda pools, request, criteria: [_random(criteria) for _ in pools],
    "GoodnessWeigher": _goodness,
    "VolumeNumberWeigher": lambda pools, request, criteria: [criteria.volumes(pool) for pool in pools],
})  # fmt: skip
"""By the names that scheduler_default_weighers may have."""
