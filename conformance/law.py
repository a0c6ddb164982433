"""A law: one sentence about a driver, where it comes from, and a function that holds a driver to it.

A law is played on a *stage*: fresh storage with the driver under test over it (`conformance.bench.Bench`), or
a whole control plane around it (`conformance.move.Move`). Its values are drawn by Hypothesis. Whatever the
driver does wrong is said with `Broken`; what a law needs and a driver does not offer makes it skip.

    law = Chapter("volumes", level="core", stage=Bench)

    @law(source="cinder.volume.manager:VolumeManager.delete_volume", size=sizes())
    def deleting_twice_succeeds(bench: Bench, size: int) -> None:
        \"""Deleting a volume that is gone already succeeds.\"""
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from conformance.subjects import Subject


class Broken(AssertionError):
    """The driver broke the law; the text has the values and what they should be."""


class Stage(Protocol):
    """Where one example of a law is played."""

    def steps(self) -> list[str]:
        """What was asked of the driver, in order, with what it answered."""

    def misconduct(self) -> list[str]:
        """What the driver did that no driver may, whatever the law: sys.exit, print, hang."""

    def is_foreign(self, error: BaseException) -> bool:
        """True if the exception came out of the driver, or out of its storage, and not out of the law."""

    def close(self) -> None:
        """The end of this world."""


@dataclass(frozen=True, kw_only=True)
class Law:
    """`name` is ``group/function``, `sentence` what holds, `source` where Cinder says or does so.

    `level` is what the law counts for (`conformance.levels`), `needs` the capabilities without which it is
    skipped (`conformance.capabilities`), `draws` the values by name. `weight` scales the number of examples.
    """

    name: str
    sentence: str
    source: str
    group: str
    level: str
    needs: tuple[str, ...]
    draws: Mapping[str, SearchStrategy[Any]]
    weight: float
    stage: Callable[[Subject, int], Stage]
    check: Callable[..., None]


class Chapter:
    """Makes laws of one group: the decorator in the module's docstring."""

    def __init__(
        self,
        group: str,
        *,
        level: str,
        stage: Callable[[Subject, int], Stage],
        needs: Iterable[str] = (),
        weight: float = 1.0,
    ) -> None:
        self._group = group
        self._level = level
        self._stage = stage
        self._needs = tuple(needs)
        self._weight = weight

    def __call__(
        self,
        *,
        source: str,
        needs: Iterable[str] = (),
        level: str = "",
        weight: float = 0.0,
        stage: Callable[[Subject, int], Stage] | None = None,
        **draws: Any,
    ) -> Callable[[Callable[..., None]], Law]:
        """`source` is required; `needs` adds to that of the chapter, the others replace what it says."""

        def make(check: Callable[..., None]) -> Law:
            return Law(
                name=f"{self._group}/{check.__name__}",
                sentence=" ".join((check.__doc__ or "").split("\n\n")[0].split()),
                source=source,
                group=self._group,
                level=level or self._level,
                needs=(*self._needs, *needs),
                draws=draws,
                weight=weight or self._weight,
                stage=stage or self._stage,
                check=check,
            )

        return make


def laws_of(module: ModuleType) -> list[Law]:
    """The laws of a module, in the order in which it states them."""
    return [value for value in vars(module).values() if isinstance(value, Law)]


def same(what: str, actual: object, wanted: object) -> None:
    """Broken unless both are equal."""
    if actual != wanted:
        raise Broken(f"{what} is {actual!r}, but should be {wanted!r}")


def holds(condition: object, text: str) -> None:
    """Broken with `text`, which says what is and what should be, unless the condition holds."""
    if not condition:
        raise Broken(text)
