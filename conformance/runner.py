"""Checking laws against a subject. Independent of pytest; the plug-in and the command line are thin shells.

Whatever a driver does is a verdict on the law that met it, and the next law goes on. An exception is the
driver's if it came out of a call of the driver or of its storage; any other is Crucible's own (``error``).
"""

from __future__ import annotations

import unittest
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import hypothesis
from hypothesis.errors import HypothesisException

from conformance.bench import Lacking
from conformance.capabilities import Capabilities
from conformance.elsewhere import Elsewhere
from conformance.foreign import library
from conformance.foreign.guard import changed_signals, contained, described, shortened, signal_handlers
from conformance.foreign.patience import Patience
from conformance.law import Broken, Law, Stage
from conformance.profiles import DEFAULT, drawn_from_the_seed_alone, settings_of
from conformance.subjects import Subject
from harness.certificates import LawResult, Status

COLLECTOR = "crucible"
"""Below this name pytest has the laws."""


def check(
    subject: Subject | Elsewhere,
    laws: Sequence[Law],
    *,
    profile: str = DEFAULT,
    seed: int = 0,
    on_result: Callable[[LawResult], None] = lambda result: None,
) -> list[LawResult]:
    """Check these laws, in order; `on_result` is told of each as soon as it is decided."""
    if isinstance(subject, Elsewhere):
        return subject.check(laws, profile=profile, seed=seed, jobs=1, on_result=on_result)
    results = []
    for result in each(subject, laws, profile=profile, seed=seed):
        on_result(result)
        results.append(result)
    return results


def each(
    subject: Subject,
    laws: Iterable[Law],
    *,
    profile: str = DEFAULT,
    seed: int = 0,
    on_example: Callable[[], None] = lambda: None,
) -> Iterator[LawResult]:
    """The same, one by one; `on_example` is called whenever an example begins."""
    capabilities, patience = Capabilities(subject, seed), Patience()
    for law in laws:
        with contained(patience):
            trial = _Trial(subject, law, seed, patience, on_example)
            result = _decided(trial, capabilities, profile)
        yield subject.masked(result)


def check_law(
    subject: Subject,
    law: Law,
    capabilities: Capabilities,
    *,
    profile: str = DEFAULT,
    seed: int = 0,
    patience: Patience | None = None,
) -> LawResult:
    """One law, inside of `contained` with the same patience."""
    return _decided(_Trial(subject, law, seed, patience), capabilities, profile)


def _decided(trial: _Trial, capabilities: Capabilities, profile: str) -> LawResult:
    law = trial.law
    for need in law.needs:
        if reason := capabilities.lacks(need):
            return result_of(law, "skipped", reason=reason)
    handlers, functions = signal_handlers(), library.seen()
    try:
        trial.run(profile)
        if name := changed_signals(handlers):
            trial.reason = f"the driver changes what happens at {name}, which is the service's business"
            return result_of(law, "failed", trial)
        if name := library.replaced(functions):
            trial.reason = f"the driver replaces {name}, which all of its process uses"
            return result_of(law, "failed", trial)
        if not trial.examples and trial.lacking:
            return result_of(law, "skipped", reason=trial.lacking)
    except _Failure:
        return result_of(law, "failed", trial)
    except HypothesisException as error:
        if trial.failed:
            # The same values did not fail again: the driver depends on something that is no part of its input.
            trial.reason += f" (but not each time: {type(error).__name__})"
            return result_of(law, "failed", trial)
        return result_of(law, "error", trial, reason=described(error))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 (a defect of ours on one law; the others go on)
        return result_of(law, "error", trial, reason=described(error))
    return result_of(law, "passed", examples=trial.examples)


class _Failure(Exception):
    """Tells Hypothesis that an example failed."""


class _Trial:
    """The examples of one law: how many, and what the last one that failed was."""

    def __init__(
        self,
        subject: Subject,
        law: Law,
        seed: int,
        patience: Patience | None = None,
        on_example: Callable[[], None] = lambda: None,
    ) -> None:
        self.subject = subject
        self.law = law
        self.seed = seed
        self.patience = patience or Patience()
        self.on_example = on_example
        self._lost_before = self.patience.losses
        self.examples = 0
        self.failed = False
        self.lacking = ""
        self.reason = ""
        self.values: dict[str, str] = {}
        self.steps: list[str] = []

    def run(self, profile: str) -> None:
        self._lost_before = self.patience.losses
        with drawn_from_the_seed_alone():
            self.test(profile)()

    def test(self, profile: str) -> Callable[[], None]:
        """The law as a test: one of Hypothesis, if anything is drawn."""

        def example(**values: Any) -> None:
            self.play(values)

        if not self.law.draws:
            return example
        # By this Hypothesis's database tells laws apart; it is what HypoFuzz tells tests apart by, too.
        example._hypothesis_internal_add_digest = node_id(self.law).encode()  # type: ignore[attr-defined]
        given = hypothesis.seed(self.seed)(hypothesis.given(**self.law.draws)(example))
        return settings_of(profile, self.law.weight)(given)  # after the seed, which would forget the database

    def play(self, values: dict[str, Any]) -> None:
        """One example. _Failure if the driver broke the law."""
        if self.patience.losses > self._lost_before:
            raise _Failure(self.reason)  # smaller values are not worth the time
        self.on_example()
        self.examples += 1
        stage: Stage | None = None
        try:
            stage = self.law.stage(self.subject, self.seed)
            self.law.check(stage, **values)
        except Lacking as error:
            self.examples -= 1
            self.lacking = str(error)
        except Broken as error:
            raise self._failure(str(error), values, stage) from error
        except Exception as error:
            if stage is not None and not stage.misconduct() and not stage.is_foreign(error):
                raise
            raise self._failure(described(error), values, stage) from error
        else:
            if misconduct := stage.misconduct():
                raise self._failure(misconduct[0], values, stage)
        finally:
            if stage is not None:
                stage.close()

    def _failure(self, reason: str, values: dict[str, Any], stage: Stage | None) -> _Failure:
        self.failed = True
        if stage is not None and stage.misconduct():
            reason = stage.misconduct()[0]
        self.reason = reason
        self.values = {name: shortened(value) for name, value in values.items()}
        self.steps = list(stage.steps()) if stage is not None else []
        return _Failure(reason)


class _FreeTrial(_Trial):
    """A trial that is run by others: each example looks after itself."""

    def __init__(self, subject: Subject, law: Law, capabilities: Capabilities, seed: int) -> None:
        super().__init__(subject, law, seed)
        self.capabilities = capabilities

    def play(self, values: dict[str, Any]) -> None:
        for need in self.law.needs:
            if reason := self.capabilities.lacks(need):
                raise unittest.SkipTest(reason)
        with contained(self.patience):
            super().play(values)


def as_test(
    subject: Subject, law: Law, capabilities: Capabilities, *, profile: str = DEFAULT, seed: int = 0
) -> Callable[[], None]:
    """A law as a test for runners of their own, such as HypoFuzz: one of Hypothesis, if anything is drawn.

    It raises what such a runner takes for a failure, or for a skip.
    """
    return _FreeTrial(subject, law, capabilities, seed).test(profile)


def node_id(law: Law) -> str:
    """What pytest calls a law."""
    return f"{COLLECTOR}::{law.name}"


def result_of(
    law: Law, status: Status, trial: _Trial | None = None, *, examples: int = 0, reason: str = ""
) -> LawResult:
    """What came of a law: of its examples, if they were tried."""
    return LawResult(
        law=law.name,
        sentence=law.sentence,
        source=law.source,
        group=law.group,
        level=law.level,
        status=status,
        examples=trial.examples if trial else examples,
        reason=reason or (trial.reason if trial else ""),
        values=trial.values if trial else {},
        steps=trial.steps if trial else [],
    )
