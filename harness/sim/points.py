"""Named points: where simulated code lets others run, where faults strike, what a timeline shows."""

from __future__ import annotations

from typing import Protocol


class Points(Protocol):
    """What storage and services report to. `harness.sim.simulation.Simulation` is the real one."""

    def visit(self, name: str, detail: str = "", *, cost_us: int = 0) -> None:
        """Pass a named point, such as ``lvm.lvcreate``, that takes `cost_us` of virtual time.

        Another actor may run before it returns; a planned fault is raised from here.
        """


class _Quiet:
    """No kernel: storage used on its own, by one caller, without faults."""

    __slots__ = ()

    def visit(self, name: str, detail: str = "", *, cost_us: int = 0) -> None:
        return None


QUIET: Points = _Quiet()
