"""``python -m harness.commands.laws_on_cinder``: the interpreter that checks laws on the installed Cinder.

`conformance.elsewhere` starts it, and says what is asked and answered on its standard input and output. What a
driver prints goes nowhere. A defect of Crucible's ends it with a traceback.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import msgspec

from conformance import isolation, runner
from conformance.catalogue import catalogue
from conformance.elsewhere import Answer, Done, Found, Order, Ready, Recipe, Refused
from conformance.subjects import Subject, disk
from harness import registry
from harness.certificates import LawResult
from harness.cinder_engine import under_test
from harness.cinder_engine.boot import Process
from harness.cinder_engine.interface_reader import calls_of_cinder
from harness.cinder_engine.masking import Mask
from harness.cinder_engine.release import require
from harness.cinder_engine.scratch import scratch, sweep
from harness.control_plane.deployment import Deployment
from harness.documents import compact
from harness.errors import InputError
from harness.signatures import Call

KNOWN_ON = ("24.5.", "28.", "29.")
"""Releases that the lists of known failures were tried on; on others they excuse, but nothing must fail."""
ABSENT = {"simulated Cinder": "this law needs a hand inside of Cinder, and has one in the simulated one only"}


@dataclass(frozen=True, kw_only=True)
class RealSubject(Subject):
    """A driver of Cinder's, imported by the process that runs it. `mask` knows the secrets of a world."""

    mask: Mask

    @property
    def driver(self) -> type[Any]:
        name = self.plan.driver
        known = {path: dotted for dotted, path in registry.REFERENCE_DRIVERS.items() if "." in dotted}
        module, _, attribute = known.get(name, name.replace(":", ".")).rpartition(".")
        found: type[Any] = getattr(importlib.import_module(module), attribute)
        return found

    @property
    def known(self) -> str | None:
        return f"cinder-{self.reference}" if self.reference is not None else None

    def has(self, method: str) -> bool:
        """Stats are read by a method of Cinder's base class, which asks one that a driver has for that."""
        return super().has(method) or (method == "get_volume_stats" and super().has("_update_volume_stats"))

    def masked(self, result: LawResult) -> LawResult:
        return self.mask.law(result)

    def calls(self) -> list[Call]:
        """As the source of the installed release says."""
        return calls_of_cinder(Path(str(sys.modules["cinder"].__file__)).parent)

    def is_interface(self, each: type[Any]) -> bool:
        """The base classes of drivers, and those of `cinder.interface`."""
        if each.__module__ == "cinder.volume.driver":
            return each.__name__ == "VolumeDriver" or each.__name__.endswith("VD")
        return each.__module__.startswith("cinder.interface")


def main() -> None:
    """Read what is asked and answer it, until there is nobody to ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # so that nothing is left of it
    answers, terminal = os.fdopen(os.dup(1), "wb"), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    questions = sys.stdin.buffer

    def answer(document: Answer) -> None:
        answers.write(compact(document) + b"\n")
        answers.flush()

    recipe = msgspec.json.decode(questions.readline(), type=Recipe)
    sweep()
    try:
        release = require(recipe.driver)
        with scratch() as home:
            made = under_test.deployment(
                home, recipe.driver, configs=[Path(each) for each in recipe.configs], backend=recipe.backend,
                options=_options(recipe),
            )  # fmt: skip
            with Process(made) as process:
                serve(process, recipe, release, questions, answer)
    except InputError as error:
        answer(Refused(str(error)))
    except ModuleNotFoundError as error:
        answer(Refused(f"Cinder {release} does not start: {error}; install what it needs"))
    except (EOFError, BrokenPipeError):
        return  # whoever asked was killed
    except Exception:
        os.dup2(terminal, 2)
        raise


def _options(recipe: Recipe) -> dict[str, str]:
    return {**recipe.options, **({"crucible_array": recipe.array} if recipe.array is not None else {})}


def serve(
    process: Process, recipe: Recipe, release: str, questions: IO[bytes], answer: Callable[[Answer], None]
) -> None:
    """Everything that is asked of one subject."""
    subject = subject_on(process, recipe)
    # What is loaded by now stays; what a law leaves behind goes when it ends.
    gc.collect()
    gc.freeze()
    answer(
        Ready(
            cinder=release,
            driver=f"{subject.driver.__module__}:{subject.driver.__qualname__}",
            version=subject.version,
            digest=subject.digest,
            known=subject.known,
            is_reference=subject.is_reference and release.startswith(KNOWN_ON),
        )
    )
    laws = {law.name: law for law in catalogue()}
    for line in questions:
        order = msgspec.json.decode(line, type=Order)
        check = (
            partial(isolation.check_isolated, jobs=order.jobs, asker=questions.fileno())
            if order.jobs
            else runner.check
        )
        check(
            subject,
            [laws[name] for name in order.laws],
            profile=order.profile,
            seed=order.seed,
            on_result=lambda result: answer(Found(result)),
        )
        answer(Done())


def subject_on(process: Process, recipe: Recipe) -> Subject:
    """The subject on the Cinder of this process."""
    from harness.cinder_engine.ground import CinderGround, WatchedCloud

    deployment: Deployment = process.deployment
    plans = {plan.name: plan for plan in deployment.backends}
    return RealSubject(
        name=recipe.driver,
        plan=plans["subject"],
        deployment=deployment,
        twin=plans["twin"],
        neighbour=plans.get("neighbour"),
        partners=tuple(plan for name, plan in plans.items() if name.startswith("partner-")),
        path=disk,
        capabilities={**ABSENT, **recipe.capabilities},
        ground=partial(CinderGround, process),
        cloud=partial(WatchedCloud, process),
        mask=process.stage.mask,
    )


if __name__ == "__main__":
    main()
