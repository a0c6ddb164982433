"""A driver that is as another one but for one method: to see what Cinder makes of what drivers may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Change = Callable[[Callable[..., Any]], Callable[..., Any]]


class Altered:
    """`change` is given the driver's own `method`, and returns what stands for it."""

    def __init__(self, driver: Any, method: str, change: Change) -> None:
        self.__dict__.update(_driver=driver, _method=method, _change=change)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._driver, name)
        return self._change(value) if name == self._method else value

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._driver, name, value)


def raising(error: Exception, *, after: bool = False) -> Change:
    """The method raises; with `after`, when it has done its work."""

    def change(own: Callable[..., Any]) -> Callable[..., Any]:
        def method(*arguments: Any, **keywords: Any) -> Any:
            if after:
                own(*arguments, **keywords)
            raise error

        return method

    return change
