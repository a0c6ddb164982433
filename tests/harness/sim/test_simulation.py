"""One visit: choice point, cost, fault, history."""

from __future__ import annotations

import pytest

from harness.errors import NoSpace
from harness.sim import Simulation
from harness.sim.faults import Fault
from harness.sim.history import Event


def test_a_visit_takes_its_time_and_is_recorded() -> None:
    """The event stands at the end of the step, with the states of the watched records."""
    simulation = Simulation()
    simulation.watch = lambda: (("available", None), None)
    simulation.kernel.spawn("c-vol", simulation.visit, "lvm.lvcreate", "vg/volume-1", cost_us=50)
    simulation.kernel.run()
    simulation.visit("look")
    assert simulation.history == [
        Event(50, "c-vol", "lvm.lvcreate", "vg/volume-1", ("available", None), None),
        Event(50, "operator", "look", "", ("available", None), None),
    ]


def test_a_planned_error_is_raised_and_shown() -> None:
    """The timeline says which fault struck where; the step itself is not recorded as done."""
    simulation = Simulation(faults=[Fault(point="lvm.lvcreate", kind="enospc")])
    with pytest.raises(NoSpace, match=r"lvm\.lvcreate"):
        simulation.visit("lvm.lvcreate", "vg/v")
    assert [(event.step, event.detail) for event in simulation.history] == [
        ("lvm.lvcreate", "vg/v [fault: enospc]")
    ]
    simulation.visit("lvm.lvcreate")


def test_a_delay_lets_time_pass() -> None:
    """The step happens, later."""
    simulation = Simulation(faults=[Fault(point="p", kind="delay", delay_us=70)])
    simulation.kernel.spawn("a", simulation.visit, "p", cost_us=5)
    simulation.kernel.run()
    assert [(event.time_us, event.detail) for event in simulation.history] == [(5, "[fault: delay]"), (75, "")]


def test_a_crash_strikes_the_actor_and_nothing_of_it_goes_on() -> None:
    """The tasks of that service die in the middle of the step; clean-up leaves no trace in the history."""
    simulation = Simulation(faults=[Fault(point="copy", kind="crash", actor="c-vol")])
    kernel = simulation.kernel

    def work() -> None:
        try:
            simulation.visit("copy")
        finally:
            simulation.record("cleaned up")

    with simulation:
        tasks = {name: [kernel.spawn(name, work) for _ in range(2)] for name in ("c-vol", "nova")}
        simulation.crash = lambda actor: kernel.kill(*tasks[actor])
        kernel.run()
        events = [(event.actor, event.step, event.detail) for event in simulation.history]
    assert events == [
        ("c-vol", "copy", "[fault: crash]"),
        ("nova", "copy", ""),
        ("nova", "cleaned up", ""),
        ("nova", "copy", ""),
        ("nova", "cleaned up", ""),
    ]
    assert len(simulation.history) == len(events)
    assert all(task.dead for task in tasks["c-vol"])
    assert not any(task.dead for task in tasks["nova"])
