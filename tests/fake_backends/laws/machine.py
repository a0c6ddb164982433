"""What the machines of all kinds of storage have in common: how one operation is tried, and what it may do.

Storage obeys a model: plain values that are obviously right. An operation is given to both. The model says for
which reasons it must be refused, if any, and what it changes. Whatever goes wrong, storage shows the model as
it was, or as it is with the operation done.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from fake_backends.files.directory import Directory
from fake_backends.files.fake import fake_directory
from fake_backends.files.watched import WatchedDirectory
from harness.errors import CrucibleError, StorageError
from harness.sim.faults import ERRORS

S = TypeVar("S")
M = TypeVar("M")
S_co = TypeVar("S_co", covariant=True)

Reasons = set[type[StorageError]]
"""Why an operation must be refused: each is right. Empty: it must be done."""


class Killed(BaseException):
    """The process is killed."""


class Stage:
    """The points of one storage, and its operations on files: what was passed, and what is to go wrong."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.fault: BaseException | None = None
        self.changes_left: int | None = None

    def visit(self, name: str, detail: str = "", *, cost_us: int = 0) -> None:
        """A named point (`harness.sim.points.Points`)."""
        self.passed.append(name)
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault

    def before(self, operation: str) -> None:
        """A file is about to change."""
        if self.changes_left is not None:
            if not self.changes_left:
                raise Killed(operation)
            self.changes_left -= 1

    def arm(self, trouble: Trouble) -> None:
        """Begin an operation: what was passed is forgotten.

        With the name of a kind of fault it strikes at the first point, ``crash`` kills the process there.
        With a number the process is killed after so many operations on files.
        """
        self.passed.clear()
        self.fault = self.changes_left = None
        if isinstance(trouble, int):
            self.changes_left = trouble
        elif trouble == "crash":
            self.fault = Killed("at a named point")
        elif trouble is not None:
            self.fault = ERRORS[trouble]("a named point")


class Medium(Protocol[S_co]):
    """Where a storage is kept. `stage` sees all that happens."""

    stage: Stage
    survives: bool
    """Whether anything is left when the process is killed."""

    def open(self) -> S_co:
        """The storage as the last process left it; at first, a new one."""


class InFiles(Generic[S]):
    """A medium of files in pyfakefs."""

    survives = True

    def __init__(self, open_storage: Callable[[Directory, Stage], S]) -> None:
        self.home = fake_directory()
        self._open = open_storage
        self.stage = Stage()

    def open(self) -> S:
        self.stage = Stage()
        return self._open(WatchedDirectory(self.home, self.stage.before), self.stage)


class InMemory(Generic[S]):
    """A medium that a process takes with it."""

    survives = False

    def __init__(self, new_storage: Callable[[Stage], S]) -> None:
        self.stage = Stage()
        self._new = new_storage

    def open(self) -> S:
        return self._new(self.stage)


Trouble: TypeAlias = str | int | None
"""What goes wrong with an operation: a fault of a kind at its first point, or a kill after so many changes."""

deaths = st.none() | st.integers(0, 12)
troubles: st.SearchStrategy[Trouble] = st.one_of(
    st.none(), st.none(), st.sampled_from(["enospc", "eio", "ebusy", "timeout", "crash"]), st.integers(0, 12)
)


class LawMachine(RuleBasedStateMachine, Generic[S, M]):
    """`storage` is always what `model` says."""

    medium: Medium[S]
    storage: S
    model: M

    def __init__(self, medium: Medium[S], model: M) -> None:
        super().__init__()
        self.medium = medium
        self.storage = medium.open()
        self.model = model

    @abstractmethod
    def differences(self, model: M) -> list[str]:
        """Where storage is not as a model says."""

    @abstractmethod
    def reboot(self, model: M) -> None:
        """What a model is after the process that had the storage was killed, and it was opened again."""

    def adopt(self, model: M) -> None:
        """Let a model know what the operation left open; an error if that is not allowed."""

    def change(
        self,
        operation: Callable[[S], object],
        reasons: Reasons,
        effect: Callable[[M], object],
        trouble: Trouble = None,
        *,
        halfway: Callable[[M], object] | None = None,
    ) -> None:
        """An operation that happens or does not. A refusal and a fault change nothing.

        `trouble` is a fault at the operation's first point, or a number of operations on files after which the
        process is killed; it is then opened again, and shows the old state or the new one, or what `halfway`
        makes of the old one where the real thing has two steps.
        """
        if isinstance(trouble, int) and not self.medium.survives:
            trouble = "crash"
        self.medium.stage.arm(trouble)
        # A planned fault comes out at the point; an operation that would be refused is not refused before it.
        struck = trouble if isinstance(trouble, str) else None
        try:
            operation(self.storage)
        except Killed:
            if isinstance(trouble, int):
                self._found_again(reasons, effect, halfway)
                return
            assert struck == "crash"
        except CrucibleError as error:
            self._judge(error, struck if self.medium.stage.fault is None else None, reasons)
        else:
            assert not reasons, f"done, right would be {reasons}"
            assert struck is None or not self.medium.stage.passed, "a planned fault was swallowed"
            before = None if self.medium.stage.passed else copy.deepcopy(self.model)
            effect(self.model)
            assert before in (None, self.model), "changed something without passing a named point"
            self.adopt(self.model)
        self.medium.stage.arm(None)
        self.agree()

    def _judge(self, error: CrucibleError, struck: str | None, reasons: Reasons) -> None:
        """An error is the planned one, or a refusal that is right."""
        if struck is not None:
            planned = type(error) is type(ERRORS[struck]("")) and "planned fault" in str(error)
            assert planned, f"{error!r} instead of the planned fault {struck}"
        else:
            right_kind = any(isinstance(error, reason) for reason in reasons)
            assert right_kind, f"refused with {error!r}, right would be {reasons or 'to do it'}"

    def agree(self) -> None:
        """Storage shows what the model says."""
        found = self.differences(self.model)
        assert not found, "; ".join(found)

    def _found_again(
        self,
        reasons: Reasons,
        effect: Callable[[M], object],
        halfway: Callable[[M], object] | None,
    ) -> None:
        self.storage = self.medium.open()
        before = copy.deepcopy(self.model)
        self.reboot(self.model)
        against_old = self.differences(self.model)
        if not against_old:
            return
        assert not reasons, f"a refused operation, killed, has changed something: {against_old}"
        for change in (halfway, effect) if halfway is not None else (effect,):
            self.model = copy.deepcopy(before)
            change(self.model)
            self.reboot(self.model)
            self.adopt(self.model)
            against_new = self.differences(self.model)
            if not against_new:
                return
        raise AssertionError(f"neither the old state ({against_old}) nor the new one ({against_new})")


NIGHTLY = "nightly"
"""The Hypothesis profile with a larger budget (``pytest --hypothesis-profile nightly``)."""


def obey(machine: type[RuleBasedStateMachine]) -> None:
    """Run a machine: the same examples each time, or many fresh ones under the profile `NIGHTLY`."""
    chosen = settings(deadline=None, suppress_health_check=list(HealthCheck))
    if settings.get_current_profile_name() != NIGHTLY:
        chosen = settings(chosen, max_examples=25, stateful_step_count=25, derandomize=True, database=None)
    run_state_machine_as_test(machine, settings=chosen)
