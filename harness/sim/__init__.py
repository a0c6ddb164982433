"""The deterministic kernel and what every simulated thing needs of it."""

from harness.sim.kernel import Kernel, Lock, Task
from harness.sim.points import QUIET, Points
from harness.sim.schedules import Fifo, Replay, Schedule, Seeded
from harness.sim.simulation import Simulation

__all__ = ["QUIET", "Fifo", "Kernel", "Lock", "Points", "Replay", "Schedule", "Seeded", "Simulation", "Task"]
