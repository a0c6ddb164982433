"""Foreign code is kept at arm's length: every call of a driver goes through here.

What a driver returns or raises is for the law to judge. What no driver may do, whatever the law, is noted as
misconduct: leave by sys.exit or another BaseException, print to standard output, leave a thread behind, touch
the machine, not come back. Into a call that takes longer than its `patience` allows, `Overdue` is thrown,
again and again until it gives way.
"""

from __future__ import annotations

import io
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from conformance.foreign import library, machine, threads
from conformance.foreign.machine import Machine
from conformance.foreign.patience import CALL_LIMIT_US, Overdue, Patience
from harness.errors import TaskKilled
from harness.sim.simulation import Simulation

THROW_AGAIN_S = 0.2
DAY_US = 86_400 * 1_000_000
SHOWN = 300
"""Characters of an answer that a step shows."""
ADDRESS = re.compile(" at 0x[0-9a-fA-F]+")
"""Where an object is in memory: it differs from run to run."""


class Misconduct(Exception):
    """What a call that misbehaved raises for the law, or the service, that made it."""


class LimitedSimulation(Simulation):
    """A simulation in which a driver's call ends at `deadline_us`, if there is one."""

    deadline_us: int | None = None
    visited = 0
    """How many points were passed."""

    def visit(self, name: str, detail: str = "", *, cost_us: int = 0) -> None:
        super().visit(name, detail, cost_us=cost_us)
        self.visited += 1
        if self.deadline_us is not None and self.kernel.now_us > self.deadline_us:
            raise Overdue(f"within {CALL_LIMIT_US // DAY_US} days of virtual time")


class Watch:
    """What was asked of drivers in one world: the steps, the misconduct, and who raised what."""

    def __init__(self, simulation: LimitedSimulation, name: Callable[[object], str]) -> None:
        self.simulation = simulation
        self.steps: list[str] = []
        self.misconduct: list[str] = []
        self._raised: list[BaseException] = []
        self.name = name
        self._inside = 0

    def raised(self, error: BaseException) -> bool:
        """True if this exception, or what it was raised from, came out of a driver."""
        cause: BaseException | None = error
        while cause is not None:
            if any(cause is each for each in self._raised):
                return True
            cause = cause.__cause__
        return False

    def call(self, where: str, method: str, function: Callable[..., Any], args: Any, keywords: Any) -> Any:
        """Make one call and note it."""
        shown = [self.name(each) for each in args] + [
            f"{key}={self.name(value)}" for key, value in keywords.items()
        ]
        step = f"{where}{method}({', '.join(shown)})"
        recorder = sys.stdout if isinstance(sys.stdout, _Recorder) else None
        before = recorder.noted() if recorder else (0, 0)
        self._enter(recorder, method)
        try:
            answer = function(*args, **keywords)
        except TaskKilled:
            self.steps.append(f"{step} dies with its service")
            raise
        except KeyboardInterrupt:
            raise
        except Exception as error:
            self._raised.append(error)
            self.steps.append(f"{step} raises {described(error)}")
            raise
        except BaseException as error:  # noqa: BLE001 (sys.exit, GeneratorExit and their like: it is noted)
            if isinstance(error, Overdue):
                within = recorder.patience.lose(method) if recorder and not error.args else error
                what = f"does not return {within}"
            else:
                what = f"raises {described(error)}, which is no Exception and would end the service"
            self.steps.append(f"{step} {what}")
            self.misconduct.append(f"{method} {what}")
            raise Misconduct(f"{method} {what}") from None
        finally:
            self._leave(recorder)
            if recorder:
                self.misconduct += [f"{method} {each}" for each in recorder.news(*before)]
        self.steps.append(f"{step} -> {shortened(answer)}")
        return answer

    def _enter(self, recorder: _Recorder | None, method: str) -> None:
        self._inside += 1
        self.simulation.deadline_us = self.simulation.kernel.now_us + CALL_LIMIT_US
        if recorder:
            recorder.machine.enter()
            recorder.limit(recorder.patience.limit_s(method))

    def _leave(self, recorder: _Recorder | None) -> None:
        self._inside -= 1
        if recorder:
            recorder.machine.leave()
        if not self._inside:
            self.simulation.deadline_us = None
            if recorder:
                recorder.limit(0)


class Guarded:
    """Stands for a driver: whatever is called on it goes through a `Watch`."""

    def __init__(self, driver: Any, watch: Watch, where: str = "") -> None:
        self.__dict__.update(_driver=driver, _watch=watch, _where=where)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._driver, name)
        if not callable(value) or name.startswith("_"):
            return value
        return lambda *args, **keywords: self._watch.call(self._where, name, value, args, keywords)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._driver, name, value)


def described(error: BaseException) -> str:
    """Type and text of an exception on one line; its text may raise, too."""
    try:
        text = ADDRESS.sub("", " ".join(str(error).split()))
    except Exception as second:  # noqa: BLE001 (foreign code)
        text = f"(its text raises {type(second).__name__})"
    return f"{type(error).__name__}: {text}"[:SHOWN] if text else type(error).__name__


def shortened(value: object) -> str:
    """A value on one line, cut where it gets long, and the same each time; its repr may raise, too."""
    try:
        text = ADDRESS.sub("", repr(value))
    except Exception as error:  # noqa: BLE001 (foreign code)
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


# ------------------------------------------------------------------------------------- around a whole run


_ALARM = getattr(signal, "SIGALRM", None)
_HANDLED = sorted(signal.valid_signals())


class _Recorder(io.StringIO):
    """Standard output while drivers run. `armed` tells that the alarm has our handler, `machine` is the one
    that they run on, and `threads` are theirs."""

    armed = False

    def __init__(self, machine: Machine, patience: Patience) -> None:
        super().__init__()
        self.machine = machine
        self.patience = patience
        self.threads: set[object] = set()

    def limit(self, seconds: float) -> None:
        """The alarm, if it is armed: without our handler it would end the process. 0 stops it."""
        if self.armed:
            signal.setitimer(signal.ITIMER_REAL, seconds, THROW_AGAIN_S if seconds else 0)

    def noted(self) -> tuple[int, int]:
        """How many threads of drivers run, and how much they have tried to do to the machine so far."""
        return len(self.threads), len(self.machine.deeds)

    def news(self, threads: int, deeds: int) -> Iterator[str]:
        """What has come since `noted`: at most one sentence of each kind."""
        if text := self.taken():
            yield f"prints {shortened(text)} to standard output"
        if sys.stdout is not self:
            sys.stdout = self
            yield "replaces the standard output of the service"
        if len(self.threads) > threads:
            yield "leaves a thread running"
        yield from self.machine.deeds[deeds : deeds + 1]

    def taken(self) -> str:
        text = self.getvalue()
        if text:
            self.seek(0)
            self.truncate()
        return text


def _throw(number: int, frame: FrameType | None) -> None:
    raise Overdue


@contextmanager
def contained(patience: Patience | None = None) -> Iterator[None]:
    """While this lasts, drivers cannot print, and the alarm of `Watch` is armed. Both are put back as they
    were.

    Handlers of signals and functions of the standard library that a driver has changed are put back, too. One
    inside of another has its patience.
    """
    stdout, before, functions = sys.stdout, signal_handlers(), library.seen()
    outer = stdout.patience if isinstance(stdout, _Recorder) else Patience()
    with machine.watched() as watched:
        recorder = _Recorder(watched, patience or outer)
        if _ALARM is not None:
            try:
                signal.signal(_ALARM, _throw)
                recorder.armed = True
            except ValueError:
                pass  # not the main thread, which alone can have handlers: calls are not limited then
        sys.stdout = recorder
        try:
            with threads.watched(recorder.threads):
                yield
        finally:
            sys.stdout = stdout
            recorder.limit(0)
            library.put_back(functions)
            if recorder.armed:
                for number, handler in before.items():
                    if handler is not None and signal.getsignal(number) is not handler:
                        signal.signal(number, handler)


def changed_signals(before: dict[int, Any]) -> str:
    """The name of a signal whose handler is not that of `before`; empty if there is none."""
    return next((signal.Signals(number).name for number, handler in before.items()
                 if signal.getsignal(number) is not handler), "")  # fmt: skip


def signal_handlers() -> dict[int, Any]:
    """The handlers that no driver has a say in."""
    return {number: signal.getsignal(number) for number in _HANDLED}
