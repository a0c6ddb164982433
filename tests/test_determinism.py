"""The same run gives the same bytes, in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

KERNEL_RUN = """
import sys
from harness.sim import Lock, Seeded, Simulation
from harness.sim.faults import Fault
from harness.sim.seeds import Ids, stream

faults = [Fault(point="step*", kind="crash", nth=9), Fault(point="step 1", kind="delay", nth=3, delay_us=7)]
with Simulation(Seeded(stream(11, "schedule")), faults) as simulation:
    kernel = simulation.kernel
    lock = Lock(kernel, "l")
    ids = Ids(11, "tasks")

    def work(depth):
        for step in range(3):
            simulation.visit(f"step {step}", ids.uuid(), cost_us=step)
            with lock:
                simulation.visit("locked")
        if depth:
            kernel.wait(kernel.spawn(f"child {depth}", work, depth - 1))

    tasks = [kernel.spawn(name, work, 2) for name in ("a", "b", "c", "d")]
    simulation.crash = lambda actor: kernel.kill(*(task for task in tasks if task.actor == actor))
    kernel.run()
    for event in simulation.history:
        print(event)
    print(kernel.choices, kernel.failures, kernel.now_us, [task.dead for task in tasks])
"""


def test_a_seeded_run_is_the_same_under_any_hash_seed() -> None:
    """Tasks, locks, faults, a crash, identifiers: byte for byte, with another order of every set."""
    outputs = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        root = Path(__file__).parents[1]
        run = subprocess.run(
            [sys.executable, "-c", KERNEL_RUN], env=environment, cwd=root, capture_output=True, check=True
        )
        outputs.append(run.stdout)
    assert outputs[0] == outputs[1]
    assert b"[fault: crash]" in outputs[0]
    assert b"[fault: delay]" in outputs[0]
    assert outputs[0].count(b"\n") > 50
