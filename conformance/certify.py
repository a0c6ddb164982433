"""From a subject to its certificate."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
from conformance import xfail
from conformance.catalogue import catalogue, select
from conformance.elsewhere import Elsewhere
from conformance.isolation import check_isolated
from conformance.law import Law
from conformance.profiles import DEFAULT
from conformance.runner import check
from conformance.subjects import Subject
from harness.certificates import Certificate, LawResult, Verdict


@dataclass(frozen=True, kw_only=True)
class Request:
    """Which laws are checked, and how.

    No `levels` are all of them; `keyword` is that of `conformance.catalogue.select`. With `jobs` the laws are
    checked in so many processes of their own, which a driver may bring down. `xfail_path` is the user's file of
    known failures.
    """

    levels: Sequence[str] = ()
    keyword: str = ""
    profile: str = DEFAULT
    seed: int = 0
    jobs: int = 0
    xfail_path: Path | None = None

    @property
    def laws(self) -> list[Law]:
        """The laws that are asked for. InputError if there are none."""
        return select(self.levels, self.keyword)

    @property
    def expected(self) -> list[xfail.Expected]:
        """The user's known failures. InputError."""
        return xfail.load(self.xfail_path) if self.xfail_path else []


def certify(
    subject: Subject | Elsewhere,
    request: Request,
    *,
    today: datetime.date,
    on_result: Callable[[LawResult], None] = lambda result: None,
) -> Certificate:
    """Check the laws, and say what came of it. Start and duration are left to whoever has a clock.

    The list of known failures of the reference driver applies besides the user's: strictly to the driver
    itself, and to what derives from it only as far as it still fails. InputError.
    """
    laws, expected = request.laws, request.expected
    how: dict[str, Any] = {"profile": request.profile, "seed": request.seed, "on_result": on_result}
    if request.jobs:
        results = check_isolated(subject, laws, jobs=request.jobs, **how)
    else:
        results = check(subject, laws, **how)
    names = [law.name for law in catalogue()]
    known = xfail.known_of(subject)
    results, stale = xfail.apply(results, known, today, all_laws=names, release=subject.cinder)
    results, more = xfail.apply(results, expected, today, all_laws=names, release=subject.cinder)
    stale += more
    return Certificate(
        crucible=harness.__version__,
        python=platform.python_version(),
        subject=subject.name,
        cinder=subject.cinder,
        driver=subject.driver_path,
        version=subject.version,
        digest=subject.digest,
        configuration=[str(path) for path in subject.configs],
        backend=subject.backend,
        array=subject.array,
        profile=request.profile,
        seed=request.seed,
        levels=list(request.levels),
        keyword=request.keyword,
        xfail=str(request.xfail_path) if request.xfail_path else None,
        started="",
        duration_s=0.0,
        verdict=verdict(results, stale),
        laws=results,
        stale=stale,
    )


def verdict(results: Sequence[LawResult], stale: Sequence[str]) -> Verdict:
    """Errors of ours count most; a skip is never a pass."""
    statuses = [result.status for result in results]
    if "error" in statuses:
        return "error"
    if stale or any(result.status == "failed" and not result.known for result in results):
        return "breaks"
    return "keeps" if set(statuses) & {"passed", "failed"} else "unchecked"
