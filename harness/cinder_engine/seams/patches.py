"""Attributes of other people's modules, replaced for a while and put back."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_ABSENT = object()


class Patches:
    """Replacements, undone in reverse order. Undoing twice is fine."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, Any, Any]] = []

    def replace(self, owner: Any, name: str, value: Any) -> Any:
        """Set ``owner.name``; returns what was there."""
        before = vars(owner).get(name, _ABSENT) if isinstance(owner, type) else getattr(owner, name, _ABSENT)
        self._undo.append((setattr_or_delete, (owner, name), before))
        setattr(owner, name, value)
        return before

    def module(self, name: str, module: ModuleType) -> None:
        """Let ``import name`` find `module`."""
        self._undo.append((item_or_delete, (sys.modules, name), sys.modules.get(name, _ABSENT)))
        sys.modules[name] = module

    def environment(self, name: str, value: str) -> None:
        """Set a variable of the process environment."""
        self._undo.append((item_or_delete, (os.environ, name), os.environ.get(name, _ABSENT)))
        os.environ[name] = value

    def later(self, undo: Callable[[], None]) -> None:
        """Something else to be undone."""
        self._undo.append((lambda owner, name, before: undo(), (None, None), None))

    def undo(self) -> None:
        """Put everything back as it was."""
        while self._undo:
            restore, (owner, name), before = self._undo.pop()
            restore(owner, name, before)


def setattr_or_delete(owner: Any, name: str, before: Any) -> None:
    """Put an attribute back, or away if there was none."""
    if before is _ABSENT:
        delattr(owner, name)
    else:
        setattr(owner, name, before)


def item_or_delete(owner: Any, name: str, before: Any) -> None:
    """The same for the item of a mapping."""
    if before is _ABSENT:
        owner.pop(name, None)
    else:
        owner[name] = before
