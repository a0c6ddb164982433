"""How a wrong driver says what is wrong with it, and which law says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

from conformance.subjects import Subject, subject

Driver = TypeVar("Driver", bound=type[Any])


class Planted(NamedTuple):
    """`id` is that of the fault, `law` the one that must break, `change` what is wrong.

    `on` is the reference subject whose back-end the driver has; None for the first of its kind.
    """

    id: str
    law: str
    change: str
    driver: type[Any]
    on: str | None

    @property
    def subject(self) -> Subject:
        """The driver, put to the test."""
        made = subject(self.driver)
        if self.on is None:
            return made
        like = subject(self.on)
        plans = {
            each: replace(getattr(like, each), driver=made.plan.driver)
            for each in ("plan", "twin", "neighbour")
        }
        return replace(like, name=made.name, **plans)


def mutant(id: str, law: str, change: str, *, on: str | None = None) -> Callable[[Driver], Driver]:
    """Mark a driver as wrong."""

    def mark(driver: Driver) -> Driver:
        driver.PLANTED = Planted(id, law, change, driver, on)
        return driver

    return mark


def planted_in(module: ModuleType) -> list[Planted]:
    """The faults of a module, in its order."""
    own = [value for value in vars(module).values() if isinstance(value, type) and "PLANTED" in vars(value)]
    return [driver.PLANTED for driver in own]  # type: ignore[attr-defined]
