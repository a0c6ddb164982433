"""From a subject to its certificate."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable, Sequence

import harness
from conformance import xfail
from conformance.catalogue import catalogue, select
from conformance.elsewhere import Elsewhere
from conformance.isolation import check_isolated
from conformance.profiles import DEFAULT
from conformance.runner import check
from conformance.subjects import Subject
from harness.certificates import Certificate, LawResult, Verdict


def certify(
    subject: Subject | Elsewhere,
    *,
    levels: Sequence[str] = (),
    keyword: str = "",
    profile: str = DEFAULT,
    seed: int = 0,
    jobs: int = 0,
    expected: Sequence[xfail.Expected] = (),
    today: datetime.date,
    configuration: Sequence[str] = (),
    on_result: Callable[[LawResult], None] = lambda result: None,
) -> Certificate:
    """Check the laws of these levels, and say what came of it.

    With `jobs` the laws are checked in so many processes of their own, which a driver may bring down.
    `expected` is the user's list of known failures. That of the reference driver applies, too: strictly to the
    driver itself, and to what derives from it only as far as it still fails. Start and duration are left to
    whoever has a clock. InputError if no law is selected.
    """
    laws = select(levels, keyword)
    if jobs:
        results = check_isolated(subject, laws, profile=profile, seed=seed, jobs=jobs, on_result=on_result)
    else:
        results = check(subject, laws, profile=profile, seed=seed, on_result=on_result)
    names = [law.name for law in catalogue()]
    results, wrong = xfail.apply(results, xfail.known_of(subject), today, all_laws=names)
    results, more = xfail.apply(results, expected, today, all_laws=names)
    return Certificate(
        crucible=harness.__version__,
        python=platform.python_version(),
        subject=subject.name,
        cinder=subject.cinder,
        driver=subject.driver_path,
        version=subject.version,
        digest=subject.digest,
        configuration=list(configuration),
        profile=profile,
        seed=seed,
        levels=list(levels),
        keyword=keyword,
        started="",
        duration_s=0.0,
        verdict=verdict(results, [*wrong, *more]),
        laws=results,
        stale=[*wrong, *more],
    )


def verdict(results: Sequence[LawResult], stale: Sequence[str]) -> Verdict:
    """Errors of ours count most; a skip is never a pass."""
    statuses = [result.status for result in results]
    if "error" in statuses:
        return "error"
    if stale or any(result.status == "failed" and not result.known for result in results):
        return "breaks"
    return "keeps" if set(statuses) & {"passed", "failed"} else "unchecked"
