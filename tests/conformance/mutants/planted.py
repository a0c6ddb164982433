"""How a wrong driver says what is wrong with it, and which law says so."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

Driver = TypeVar("Driver", bound=type[Any])


class Planted(NamedTuple):
    """`id` is that of the fault, `law` the one that must break, `change` what is wrong."""

    id: str
    law: str
    change: str
    driver: type[Any]


def mutant(id: str, law: str, change: str) -> Callable[[Driver], Driver]:
    """Mark a driver as wrong."""

    def mark(driver: Driver) -> Driver:
        driver.PLANTED = Planted(id, law, change, driver)
        return driver

    return mark


def planted_in(module: ModuleType) -> list[Planted]:
    """The faults of a module, in its order."""
    own = [value for value in vars(module).values() if isinstance(value, type) and "PLANTED" in vars(value)]
    return [driver.PLANTED for driver in own]  # type: ignore[attr-defined]
