"""Foreign code is kept at arm's length: every call of a driver goes through here.

What a driver returns or raises is for the law to judge. What no driver may do, whatever the law, is noted as
misconduct: leave by sys.exit or another BaseException, print to standard output, leave a thread behind, write
files, start programs, not come back. A call may take `CALL_LIMIT_S` seconds of real time and `CALL_LIMIT_US`
of virtual time; then `Overdue` is thrown into it, again and again until it gives way.
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

from conformance import machine, threads
from harness.errors import TaskKilled
from harness.sim.simulation import Simulation

CALL_LIMIT_S = 30.0
"""Far more than any call takes, for machines that are busy with other things."""
CALL_LIMIT_US = 30 * 86_400 * 1_000_000
"""Thirty days: clearing a volume of 16 TiB takes two."""
THROW_AGAIN_S = 0.2
SHOWN = 300
"""Characters of an answer that a step shows."""
ADDRESS = re.compile(" at 0x[0-9a-fA-F]+")
"""Where an object is in memory: it differs from run to run."""


class Overdue(BaseException):
    """Thrown into a call that takes too long. No Exception: a driver that retries must not survive it."""


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
            raise Overdue("virtual")


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
        running, done = _running(), _done()
        self._enter()
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
                what = _too_long(error)
            else:
                what = f"raises {described(error)}, which is no Exception and would end the service"
            self.steps.append(f"{step} {what}")
            self.misconduct.append(f"{method} {what}")
            raise Misconduct(f"{method} {what}") from None
        finally:
            self._leave()
            self._look_around(method, running, done)
        self.steps.append(f"{step} -> {shortened(answer)}")
        return answer

    def _enter(self) -> None:
        self._inside += 1
        self.simulation.deadline_us = self.simulation.kernel.now_us + CALL_LIMIT_US
        if _armed():
            signal.setitimer(signal.ITIMER_REAL, CALL_LIMIT_S, THROW_AGAIN_S)

    def _leave(self) -> None:
        self._inside -= 1
        if not self._inside:
            self.simulation.deadline_us = None
            if _armed():
                signal.setitimer(signal.ITIMER_REAL, 0)

    def _look_around(self, method: str, running: int, done: int) -> None:
        if isinstance(sys.stdout, _Recorder) and (text := sys.stdout.taken()):
            self.misconduct.append(f"{method} prints {shortened(text)} to standard output")
        if _running() > running:
            self.misconduct.append(f"{method} leaves a thread running")
        if isinstance(sys.stdout, _Recorder) and len(sys.stdout.deeds) > done:
            self.misconduct.append(f"{method} {sys.stdout.deeds[done]}")


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


def _too_long(error: BaseException) -> str:
    if error.args == ("virtual",):
        return f"does not return within {CALL_LIMIT_US // 86_400_000_000} days of virtual time"
    return f"does not return within {CALL_LIMIT_S:g} s"


# ------------------------------------------------------------------------------------- around a whole run


class _Recorder(io.StringIO):
    """Standard output while drivers run. `armed` tells that the alarm has our handler; `threads` are theirs,
    and `deeds` what they have done to the machine."""

    armed = False

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[object] = set()
        self.deeds: list[str] = []

    def taken(self) -> str:
        text = self.getvalue()
        if text:
            self.seek(0)
            self.truncate()
        return text


_ALARM = getattr(signal, "SIGALRM", None)
_HANDLED = sorted(signal.valid_signals())


def _throw(number: int, frame: FrameType | None) -> None:
    raise Overdue("real")


def _armed() -> bool:
    """True while our handler is in place: without it the alarm would end the process."""
    return isinstance(sys.stdout, _Recorder) and sys.stdout.armed


def _running() -> int:
    """How many threads drivers have started that still run."""
    return len(sys.stdout.threads) if isinstance(sys.stdout, _Recorder) else 0


def _done() -> int:
    """How much was done to the machine so far, by drivers and others."""
    return len(sys.stdout.deeds) if isinstance(sys.stdout, _Recorder) else 0


@contextmanager
def contained() -> Iterator[None]:
    """While this lasts, drivers cannot print, and the alarm of `Watch` is armed. Both are put back as they
    were.

    Handlers of signals that a driver has changed are put back, too.
    """
    stdout, recorder = sys.stdout, _Recorder()
    before = signal_handlers()
    if _ALARM is not None:
        try:
            signal.signal(_ALARM, _throw)
            recorder.armed = True
        except ValueError:
            pass  # not the main thread, which alone can have handlers: calls are not limited then
    sys.stdout = recorder
    try:
        with threads.watched(recorder.threads), machine.watched(recorder.deeds):
            yield
    finally:
        sys.stdout = stdout
        if recorder.armed and _ALARM is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
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
