"""The kernel: tasks, virtual time, choices, death."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Callable

import pytest
from greenlet import greenlet
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import KernelError, Overdue, Stuck, TaskKilled
from harness.sim.kernel import Kernel, Lock, Task
from harness.sim.schedules import Replay, Seeded


def pause(kernel: Kernel, times: int) -> None:
    """A task that lets others run `times` times."""
    for _ in range(times):
        kernel.pause()


def tick(kernel: Kernel, times: int, duration_us: int) -> None:
    """A task that sleeps `times` times."""
    for _ in range(times):
        kernel.sleep(duration_us)


def test_tasks_interleave_at_pauses_first_come_first_served() -> None:
    """A task runs until it pauses; then the longest-waiting one goes on."""
    kernel = Kernel()
    log: list[str] = []

    def work(name: str) -> None:
        for step in range(3):
            log.append(f"{name}{step}")
            kernel.pause()

    kernel.spawn("a", work, "a")
    kernel.spawn("b", work, "b")
    kernel.run()
    assert log == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_a_task_that_was_spawned_by_a_task_ends_in_the_kernel() -> None:
    """When a child ends, the schedule decides who goes on: not whoever spawned it."""
    kernel = Kernel()
    log: list[object] = []

    def parent() -> None:
        kernel.spawn("child", log.append, "child")
        kernel.sleep(10)
        log.append((kernel.now_us, kernel.current))

    task = kernel.spawn("parent", parent)
    kernel.run()
    assert log == ["child", (10, task)]


def test_the_clock_jumps_to_the_next_sleeper() -> None:
    """Virtual time passes only when nobody can run; equal times wake in the order of falling asleep."""
    kernel = Kernel()
    log: list[tuple[int, str]] = []

    def work(name: str, duration_us: int) -> None:
        kernel.sleep(duration_us)
        log.append((kernel.now_us, name))

    for name, duration_us in (("slow", 30), ("a", 10), ("b", 10)):
        kernel.spawn(name, work, name, duration_us)
    kernel.run()
    assert log == [(10, "a"), (10, "b"), (30, "slow")]


def test_no_sleep_is_a_pause() -> None:
    """sleep(0) lets the runnable ones run and does not starve behind two that pause in turns."""
    kernel = Kernel()
    log: list[str] = []

    def pausing() -> None:
        for _ in range(3):
            kernel.pause()
        log.append("paused")

    def yielding() -> None:
        kernel.sleep(0)
        log.append("slept")

    for function in (pausing, pausing, yielding):
        kernel.spawn(function.__name__, function)
    kernel.run()
    assert log == ["slept", "paused", "paused"]
    assert kernel.now_us == 0


def test_time_does_not_run_backwards() -> None:
    """A negative sleep, and a start in the past, are errors of the caller."""
    kernel = Kernel()
    with pytest.raises(KernelError, match="backwards"):
        kernel.sleep(-1)
    with pytest.raises(KernelError, match="backwards"):
        kernel.wait(kernel.spawn("a", kernel.sleep, -1))
    with pytest.raises(KernelError, match="past"):
        kernel.spawn("a", int, delay_us=-1)


def test_the_clock_stays_when_a_sleeper_is_overdue() -> None:
    """An operator who lets time pass outside of tasks makes sleepers wake late, never the clock go back."""
    kernel = Kernel()
    seen: list[int] = []
    kernel.spawn("late", lambda: seen.append(kernel.now_us), delay_us=10)
    kernel.sleep(100)
    kernel.run()
    assert seen == [100]


def test_the_horizon_is_not_passed() -> None:
    """A run ends at the horizon with the clock on it; the next run goes on from there."""
    kernel = Kernel()
    task = kernel.spawn("sleeper", kernel.sleep, 100)
    kernel.run(until=task, horizon_us=40)
    assert (kernel.now_us, task.done) == (40, False)
    kernel.run(horizon_us=20)
    assert kernel.now_us == 40, "a horizon in the past turns no clock back"
    kernel.run(horizon_us=100)
    assert (kernel.now_us, task.done) == (100, True)


def test_a_task_alone_does_not_sleep_past_the_horizon() -> None:
    """The short cut for a sleeper that is alone heeds the horizon too, and only within that run."""
    kernel = Kernel()
    marks: list[int] = []

    def work() -> None:
        for _ in range(3):
            kernel.sleep(30)
            marks.append(kernel.now_us)

    kernel.spawn("a", work)
    kernel.run(horizon_us=50)
    assert marks == [30]
    kernel.run()
    assert marks == [30, 60, 90]


def test_daemons_do_not_keep_a_run_from_ending() -> None:
    """Heartbeats tick for ever; the run ends with the last ordinary task."""
    kernel = Kernel()
    beats: list[int] = []

    def heartbeat() -> None:
        while True:
            beats.append(kernel.now_us)
            kernel.sleep(10)

    with kernel:
        kernel.spawn("heartbeat", heartbeat, daemon=True)
        kernel.run()
        assert beats == []
        kernel.spawn("work", kernel.sleep, 25)
        kernel.run()
        assert beats == [0, 10, 20]


def test_run_waits_for_an_ordinary_task_that_waits_for_a_daemon() -> None:
    """Who waits is not finished, even if only daemons are runnable."""
    kernel = Kernel()
    daemon = kernel.spawn("daemon", kernel.sleep, 50, daemon=True)
    task = kernel.spawn("task", kernel.wait, daemon)
    kernel.run()
    assert task.done
    assert kernel.now_us == 50


def test_wait_returns_the_result_inside_and_outside_of_tasks() -> None:
    """Outside, wait() runs the world; inside, it lets others run; on a finished task, it returns at once."""
    kernel = Kernel()

    def answer() -> int:
        kernel.sleep(5)
        return 42

    def ask() -> int:
        return int(kernel.wait(kernel.spawn("answer", answer))) + 1

    task = kernel.spawn("ask", ask)
    assert kernel.wait(task) == 43
    assert kernel.wait(task) == 43


def test_wait_raises_the_very_exception() -> None:
    """No clone and no wrapper: the text of exceptions is evidence."""
    kernel = Kernel()
    error = ValueError("as it is")

    def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="as it is") as caught:
        kernel.wait(kernel.spawn("outer", lambda: kernel.wait(kernel.spawn("inner", fail))))
    assert caught.value is error


def test_an_exception_that_nobody_waits_for_is_kept() -> None:
    """`failures` has what nobody was given, in order; wait() takes it out."""
    kernel = Kernel()

    def fail(text: str) -> None:
        raise ValueError(text)

    tasks = [kernel.spawn("cast", fail, text) for text in ("one", "two")]
    kernel.run()
    assert [(task, str(error)) for task, error in kernel.failures] == [(tasks[0], "one"), (tasks[1], "two")]
    with pytest.raises(ValueError, match="one"):
        kernel.wait(tasks[0])
    assert [task for task, _ in kernel.failures] == [tasks[1]]


def test_ctrl_c_goes_through() -> None:
    """KeyboardInterrupt is for the person at the keyboard, not for the simulated world."""
    kernel = Kernel()

    def interrupted() -> None:
        raise KeyboardInterrupt

    task = kernel.spawn("a", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kernel.run()
    assert task.done
    assert kernel.wait(kernel.spawn("b", int)) == 0


def test_an_exit_is_an_error_of_the_task() -> None:
    """A driver that calls sys.exit() ends its operation, not Crucible."""
    kernel = Kernel()

    def leave() -> None:
        raise SystemExit(3)

    task = kernel.spawn("a", leave)
    kernel.run()
    assert isinstance(task.error, SystemExit)


# ------------------------------------------------------------------------------------------------- death


def test_a_killed_task_never_runs_again_wherever_it_was() -> None:
    """Ready, asleep, waiting, waiting for a lock, not started: dead is dead."""
    kernel = Kernel()
    lock = Lock(kernel, "l")
    log: list[str] = []

    def body(step: Callable[[], object]) -> None:
        try:
            step()
            log.append("survived")
        finally:
            log.append("cleaned up")

    def take() -> None:
        with lock:
            kernel.sleep(50)

    holder = kernel.spawn("holder", take)
    victims = [
        kernel.spawn("asleep", body, lambda: kernel.sleep(50)),
        kernel.spawn("waiting", body, lambda: kernel.wait(holder)),
        kernel.spawn("locked", body, take),
        kernel.spawn("ready", body, lambda: pause(kernel, 9)),
        kernel.spawn("unborn", body, int, delay_us=50),
    ]
    kernel.spawn("killer", kernel.kill, *victims)
    kernel.spawn("other", pause, kernel, 3)
    kernel.run()
    assert holder.done
    assert not holder.dead
    assert log == ["cleaned up"] * 4, "what a dying process holds open is closed"
    assert all(task.done and task.dead for task in victims)
    assert kernel.pending() == []


def test_who_waits_for_a_killed_task_is_told() -> None:
    """A caller whose callee died gets a KernelError, at once or when it asks later."""
    kernel = Kernel()
    victim = kernel.spawn("victim", kernel.sleep, 100)
    caller = kernel.spawn("caller", kernel.wait, victim)
    kernel.spawn("killer", kernel.kill, victim, delay_us=10)
    kernel.run()
    assert kernel.now_us == 10
    for task in (victim, caller):
        with pytest.raises(KernelError, match="victim died"):
            kernel.wait(task)
    kernel.close()


def test_waiting_ends_when_it_should() -> None:
    """Overdue; what was waited for goes on, and may be waited for again."""
    kernel = Kernel()
    slow = kernel.spawn("slow", kernel.sleep, 100)

    def look() -> int:
        with pytest.raises(Overdue, match="slow"):
            kernel.wait(slow, until_us=30)
        return kernel.now_us

    assert kernel.wait(kernel.spawn("looking", look)) == 30
    with pytest.raises(Overdue):
        kernel.wait(slow, until_us=60)
    assert kernel.now_us == 60
    kernel.wait(kernel.spawn("patient", kernel.wait, slow, until_us=100_000))
    assert kernel.now_us == 100
    kernel.close()


def test_who_is_killed_while_waiting_is_not_woken_by_its_own_alarm() -> None:
    """The time comes, and nobody is there."""
    kernel = Kernel()
    slow = kernel.spawn("slow", kernel.sleep, 100)
    waiting = kernel.spawn("waiting", kernel.wait, slow, until_us=50)
    kernel.spawn("killer", kernel.kill, waiting, delay_us=10)
    kernel.run()
    assert waiting.dead
    assert kernel.now_us == 100


def test_a_task_knows_for_whom_it_is() -> None:
    """From the task that made it; outside of tasks, for nobody."""
    kernel = Kernel()

    def outer() -> Task:
        assert kernel.current is not None
        kernel.current.asking = "alice"
        return kernel.spawn("inner", kernel.spawn, "innermost", int)

    inner = kernel.wait(kernel.spawn("outer", outer))
    assert inner.asking == kernel.wait(inner).asking == "alice"
    assert kernel.spawn("another", int).asking is None


def test_killing_twice_or_a_finished_task_changes_nothing() -> None:
    """kill() is about the living."""
    kernel = Kernel()
    task = kernel.spawn("a", lambda: 7)
    kernel.run()
    kernel.kill(task, task)
    assert kernel.wait(task) == 7
    unborn = kernel.spawn("b", int)
    kernel.kill(unborn, unborn)
    kernel.run()
    assert unborn.dead


def test_a_task_that_kills_its_own_service_takes_all_with_it() -> None:
    """The running task dies last, whatever its place in the list, and it does not go on."""
    kernel = Kernel()
    log: list[str] = []

    def crash() -> None:
        try:
            kernel.kill(*tasks)
        finally:
            log.append("cleaned up")
        log.append("survived")

    tasks = [kernel.spawn("c-vol", crash), kernel.spawn("c-vol", log.append, "ran")]
    kernel.run()
    assert log == ["cleaned up"]
    assert all(task.dead for task in tasks)


def test_clean_up_of_a_dead_task_reaches_nothing() -> None:
    """Every operation of the kernel raises TaskKilled in code that is unwound."""
    kernel = Kernel()
    lock = Lock(kernel, "l")
    log: list[str] = []
    done = kernel.spawn("done", int)

    def attempt(operation: Callable[[], object]) -> None:
        try:
            operation()
        except TaskKilled:
            log.append("killed")

    def stubborn() -> None:
        try:
            kernel.sleep(100)
        finally:
            attempt(kernel.pause)
            attempt(lambda: kernel.sleep(0))
            attempt(lambda: kernel.sleep(1))
            attempt(lambda: kernel.wait(done))
            attempt(lambda: kernel.spawn("new", int))
            attempt(lambda: kernel.kill(done))
            attempt(lock.__enter__)

    task = kernel.spawn("stubborn", stubborn)
    kernel.run(horizon_us=10)
    kernel.kill(task)
    assert log == ["killed"] * 7
    kernel.run()
    assert kernel.now_us == 10
    assert lock.owner is None
    assert kernel.current is None


def test_an_error_in_the_clean_up_of_a_dead_task_is_nobody_s() -> None:
    """Who kills goes on as if nothing had happened; who waits hears of the death and not of the error."""
    kernel = Kernel()

    def clumsy() -> None:
        try:
            kernel.sleep(100)
        finally:
            raise ValueError("in the clean-up")

    def kill() -> Task | None:
        kernel.kill(victim)
        return kernel.current

    victim = kernel.spawn("victim", clumsy)
    killer = kernel.spawn("killer", kill, delay_us=1)
    kernel.run()
    assert killer.result is killer
    assert kernel.failures == []
    with pytest.raises(KernelError, match="victim died"):
        kernel.wait(victim)


def test_a_world_that_is_over_stays_over() -> None:
    """After close() nothing starts; closing twice is fine."""
    kernel = Kernel()
    kernel.spawn("a", kernel.sleep, 10)
    kernel.run(horizon_us=5)
    kernel.close()
    kernel.close()
    with pytest.raises(KernelError, match="close"):
        kernel.run()
    with pytest.raises(KernelError, match="close"):
        kernel.spawn("b", int)


def test_close_and_run_are_not_for_tasks() -> None:
    """Inside of a task there is wait(); a nested run, or an end of the world, is an error."""
    kernel = Kernel()
    tasks = [kernel.spawn("a", kernel.run), kernel.spawn("b", kernel.close)]
    kernel.run()
    for task in tasks:
        with pytest.raises(KernelError, match="inside a task"):
            kernel.wait(task)


def test_a_kernel_runs_inside_a_task_of_another() -> None:
    """Two kernels share nothing, not even the greenlet that they return to."""
    outer, inner = Kernel(), Kernel()

    def nested() -> int:
        inner.spawn("inner", pause, inner, 3)
        return int(inner.wait(inner.spawn("inner", lambda: 5, delay_us=10)))

    assert outer.wait(outer.spawn("outer", nested)) == 5
    assert (outer.now_us, inner.now_us) == (0, 10)


def test_closed_kernels_leave_no_memory_behind() -> None:
    """Sleeping, waiting and killed tasks hold their world; close() lets go of it."""

    def world() -> weakref.ref[Kernel]:
        with Kernel() as kernel:
            sleeper = kernel.spawn("sleeper", kernel.sleep, 1000)
            kernel.spawn("waiter", kernel.wait, sleeper)
            victim = kernel.spawn("victim", kernel.sleep, 1000)
            kernel.spawn("unborn", int, delay_us=1000)
            kernel.run(horizon_us=10)
            kernel.kill(victim)
        return weakref.ref(kernel)

    def greenlets() -> int:
        gc.collect()
        return sum(isinstance(thing, greenlet) for thing in gc.get_objects())

    before = greenlets()
    worlds = [world() for _ in range(50)]
    assert greenlets() == before
    assert [ref for ref in worlds if ref() is not None] == []


def test_a_kernel_whose_tasks_all_finished_needs_no_close() -> None:
    """Greenlets that were kept for later tasks hold nothing of the world."""

    def world() -> weakref.ref[Kernel]:
        kernel = Kernel()
        for _ in range(3):
            kernel.spawn("a", kernel.sleep, 10)
        kernel.run()
        return weakref.ref(kernel)

    ref = world()
    gc.collect()
    assert ref() is None


def test_a_greenlet_is_used_again() -> None:
    """A hundred calls, one after another, take one greenlet."""
    kernel = Kernel()
    for _ in range(100):
        kernel.wait(kernel.spawn("a", int))
    assert len(kernel._idle) == 1


# ------------------------------------------------------------------------------------- locks and circles


def test_a_lock_is_first_come_first_served() -> None:
    """Whoever releases it cannot take it again past the others."""
    kernel = Kernel()
    lock = Lock(kernel, "l")
    log: list[str] = []

    def work(name: str) -> None:
        for _ in range(2):
            with lock:
                log.append(name)
                kernel.pause()

    for name in "abc":
        kernel.spawn(name, work, name)
    kernel.run()
    assert log == ["a", "b", "c", "a", "b", "c"]


@given(seed=st.integers(0, 1 << 32))
def test_a_lock_has_one_holder_on_every_schedule(seed: int) -> None:
    """Mutual exclusion, with deaths inside and outside of the critical section."""
    kernel = Kernel(Seeded(random.Random(seed)))
    lock = Lock(kernel, "l")
    inside: list[Task] = []

    def work() -> None:
        for _ in range(3):
            kernel.pause()
            with lock:
                assert all(task.dead for task in inside)
                me = kernel.current
                assert me is not None
                inside.append(me)
                kernel.pause()
                kernel.sleep(1)
                inside.remove(me)

    with kernel:
        tasks = [kernel.spawn(name, work) for name in "abcd"]
        kernel.spawn("killer", kernel.kill, *tasks[:2], delay_us=seed % 5)
        kernel.run()
        assert kernel.failures == []
    assert not any(task.dead for task in tasks[2:])


def test_a_dead_holder_passes_its_lock_on() -> None:
    """As a file lock: the process dies, the next gets it; the dead one's clean-up does not release it."""
    kernel = Kernel()
    lock = Lock(kernel, "l")

    def hold() -> None:
        with lock:
            kernel.sleep(100)

    first, second = kernel.spawn("first", hold), kernel.spawn("second", hold)
    kernel.run(horizon_us=10)
    kernel.kill(first)
    assert lock.owner is second
    kernel.run(until=second)
    assert kernel.now_us == 110
    assert lock.owner is None
    kernel.close()


def test_a_lock_is_not_reentrant() -> None:
    """Taking it twice would wait for oneself."""
    kernel = Kernel()
    lock = Lock(kernel, "l")

    def twice() -> None:
        with lock, lock:
            pass

    with pytest.raises(KernelError, match="lock l is already held by a"):
        kernel.wait(kernel.spawn("a", twice))
    assert lock.owner is None


def test_a_lock_held_outside_of_tasks_is_respected() -> None:
    """Nobody in the world can release it, so who waits for it is stuck."""
    kernel = Kernel()
    lock = Lock(kernel, "l")

    def take() -> None:
        with lock:
            pass

    task = kernel.spawn("a", take)
    with lock, pytest.raises(Stuck, match="a waits for lock l, held by code outside of any task"):
        kernel.run()
    kernel.run()
    assert task.done


def test_a_circle_is_stuck_and_says_who_waits_for_what() -> None:
    """Two locks in two orders, a third who waits for one of them: all are named, daemons ticking or not."""
    kernel = Kernel()
    locks = {"x": Lock(kernel, "x"), "y": Lock(kernel, "y")}

    def take(first: str, second: str) -> None:
        with locks[first]:
            kernel.sleep(1)
            with locks[second]:
                pass

    with kernel:
        a = kernel.spawn("a", take, "x", "y")
        kernel.spawn("b", take, "y", "x")
        c = kernel.spawn("c", kernel.wait, a)
        kernel.spawn("heartbeat", tick, kernel, 10**9, 1, daemon=True)
        expected = "a waits for lock y, held by b; b waits for lock x, held by a; c waits for the end of a"
        for until in (None, c):
            with pytest.raises(Stuck, match=expected):
                kernel.run(until=until)


def test_a_circle_elsewhere_does_not_stop_a_run() -> None:
    """Stuck is raised for what the run is for; others may be stuck meanwhile."""
    kernel = Kernel()
    lock = Lock(kernel, "l")

    def hold() -> None:
        with lock:
            kernel.sleep(1)
            kernel.wait(tasks[1])

    def take() -> None:
        with lock:
            pass

    with kernel:
        tasks = [kernel.spawn("a", hold), kernel.spawn("b", take)]
        free = kernel.spawn("free", tick, kernel, 5, 10)
        kernel.wait(free)
        assert kernel.now_us == 50
        kernel.kill(tasks[1])
        kernel.run()
        assert kernel.pending() == []


def test_waiting_for_oneself_is_stuck() -> None:
    """The smallest circle."""
    kernel = Kernel()
    with kernel:
        task = kernel.spawn("narcissus", lambda: kernel.wait(task))
        with pytest.raises(Stuck, match="narcissus waits for the end of narcissus"):
            kernel.run()


def test_a_task_of_another_world_never_ends_here() -> None:
    """An error, and not an endless loop."""
    with pytest.raises(Stuck, match="foreign"):
        Kernel().run(until=Kernel().spawn("foreign", int))


def test_pending_says_what_everybody_waits_for() -> None:
    """What a report prints when a run reaches its horizon."""
    kernel = Kernel()
    with kernel:
        sleeper = kernel.spawn("sleeper", kernel.sleep, 100)
        kernel.spawn("waiter", kernel.wait, sleeper)
        kernel.spawn("heartbeat", kernel.sleep, 100, daemon=True)
        kernel.run(horizon_us=10)
        kernel.spawn("new", int)
        assert kernel.pending() == [
            "sleeper waits for 100 us",
            "waiter waits for the end of sleeper",
            "new waits for its turn",
        ]


def test_long_chains_do_not_recurse() -> None:
    """Tasks that wait for one another, in a row that is longer than Python's stack."""
    kernel = Kernel()
    task = kernel.spawn("0", kernel.sleep, 10)
    for number in range(1, 1200):
        task = kernel.spawn(str(number), kernel.wait, task)
    kernel.run()
    assert task.done


# ---------------------------------------------------------------------------------------------- choices


def busy_world(kernel: Kernel) -> list[tuple[int, str]]:
    """Tasks that pause, sleep, lock, wait, spawn and die; returns what they did."""
    log: list[tuple[int, str]] = []
    lock = Lock(kernel, "l")

    def note(text: str) -> None:
        task = kernel.current
        assert task is not None
        log.append((kernel.now_us, f"{task.actor}: {text}"))

    def work(depth: int) -> None:
        for step in range(3):
            note(f"step {step}")
            kernel.pause()
            with lock:
                note("locked")
                kernel.sleep(step)
        if depth:
            kernel.wait(kernel.spawn(f"child {depth}", work, depth - 1))
            note("child is done")

    with kernel:
        tasks = [kernel.spawn(name, work, 1) for name in ("a", "b", "c")]
        kernel.spawn("killer", kernel.kill, tasks[2], delay_us=3)
        kernel.run()
    return log


@given(seed=st.integers(0, 1 << 32))
def test_recorded_choices_replay_to_the_same_trace(seed: int) -> None:
    """A run is its choices."""
    recorded = Kernel(Seeded(random.Random(seed)))
    trace = busy_world(recorded)
    replayed = Kernel(Replay(recorded.choices))
    assert busy_world(replayed) == trace
    assert replayed.choices == recorded.choices


def test_seeds_differ() -> None:
    """The replay law would hold for a kernel that ignores its schedule: this one does not."""
    assert len({str(busy_world(Kernel(Seeded(random.Random(seed))))) for seed in range(5)}) == 5


def test_there_is_no_choice_among_one() -> None:
    """A choice is recorded only where there are two."""
    kernel = Kernel()
    kernel.spawn("a", pause, kernel, 5)
    kernel.run()
    assert kernel.choices == []
    for _ in range(2):
        kernel.spawn("a", kernel.pause)
    kernel.run()
    assert kernel.choices == [0, 0, 0]


def test_a_choice_that_nobody_offered_is_an_error() -> None:
    """Also a negative one, which Python would take from the end."""

    class Wrong:
        def choose(self, labels: object) -> int:
            return -1

    kernel = Kernel(Wrong())
    for _ in range(2):
        kernel.spawn("a", int)
    with pytest.raises(KernelError, match="chose -1 among 2"):
        kernel.run()
