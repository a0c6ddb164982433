"""A certificate: what came of holding one driver to the laws, as versioned JSON. Every report is a view of
it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from harness import documents

SCHEMA = 1

Status = Literal["passed", "failed", "skipped", "error"]

STATUSES: dict[Status, str] = {
    "passed": "held in every example",
    "failed": "the driver broke it",
    "skipped": "not checked, because the driver lacks what the law is about; never a pass",
    "error": "Crucible itself failed on this law",
}

Verdict = Literal["keeps", "breaks", "unchecked", "error"]

VERDICTS: dict[Verdict, str] = {
    "keeps": "the driver keeps the contract, but for what is listed as known",
    "breaks": "the driver breaks the contract, or the list of known failures is out of date",
    "unchecked": "no law could be checked",
    "error": "Crucible itself failed",
}


class LawResult(msgspec.Struct, frozen=True, kw_only=True):
    """One law on one subject.

    `reason` says what broke, or why it was skipped. Of a failure, `values` are the law's values in the smallest
    example that was found, `steps` what was asked of the driver there and what it answered. `known` says why a
    failure was expected, if it was.
    """

    law: str
    sentence: str
    source: str
    group: str
    level: str
    status: Status
    examples: int = 0
    reason: str = ""
    values: dict[str, str] = {}
    steps: list[str] = []
    known: str = ""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run on one subject.

    `driver` is ``package.module:Class``, `version` its VERSION, `digest` the SHA-256 of the source of its class
    and of those that it derives from. `configuration` are the files that configured it. `started` is ISO 8601
    in UTC. `levels` are those that were asked for, none for all. `stale` are faults of the
    list of known failures.
    """

    schema: int = SCHEMA
    crucible: str
    python: str
    cinder: str | None = None
    subject: str
    driver: str
    version: str
    digest: str
    configuration: list[str] = []
    profile: str
    seed: int
    levels: list[str] = []
    keyword: str = ""
    started: str
    duration_s: float
    verdict: Verdict
    laws: list[LawResult]
    stale: list[str] = []


def reached(certificate: Certificate) -> dict[str, tuple[int, int, int]]:
    """Laws (passed, failed or in error, skipped) by level, in the order of their first law."""
    counts: dict[str, tuple[int, int, int]] = {}
    for law in certificate.laws:
        passed, failed, skipped = counts.get(law.level, (0, 0, 0))
        if law.status == "passed":
            passed += 1
        elif law.status == "skipped":
            skipped += 1
        else:
            failed += 1
        counts[law.level] = (passed, failed, skipped)
    return counts


def load(path: Path) -> Certificate:
    """Read a certificate. InputError if it cannot be read, is none, or is of another schema."""
    return documents.load(
        path, Certificate, schema=SCHEMA, noun="certificate", otherwise="is no certificate of crucible"
    )
