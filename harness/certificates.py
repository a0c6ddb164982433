"""A certificate: what came of holding one driver to the laws, as versioned JSON. Every report is a view of
it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
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
    and of those that it derives from. `cinder` is the release that ran, None for the simulated one.
    What was asked for, so that it can be asked for again: `subject`, `configuration` (files), `backend`,
    `array`, `profile`, `seed`, `levels` (none for all), `keyword`, `xfail` (the file of known failures).
    `started` is ISO 8601 in UTC. `stale` are faults of the list of known failures.
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
    backend: str | None = None
    array: str | None = None
    profile: str
    seed: int
    levels: list[str] = []
    keyword: str = ""
    xfail: str | None = None
    started: str
    duration_s: float
    verdict: Verdict
    laws: list[LawResult]
    stale: list[str] = []


State = Literal["reached", "not reached", "not checked"]


class Tally(msgspec.Struct, frozen=True):
    """What came of the laws of a level: how many passed, failed as is known, failed or ended in error, were
    skipped."""

    passed: int = 0
    known: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def state(self) -> State:
        """A level is reached if a law passed, and none failed that is not known to; a skip is never a pass."""
        if self.failed or (self.known and not self.passed):
            return "not reached"
        return "reached" if self.passed else "not checked"


def tally(laws: Iterable[LawResult]) -> Tally:
    """Count them."""
    counts = Counter("known" if law.status == "failed" and law.known else law.status for law in laws)
    return Tally(counts["passed"], counts["known"], counts["failed"] + counts["error"], counts["skipped"])


def in_words(verdict: Verdict, *, known: int, stale: bool) -> str:
    """What a verdict says; `known` failures are excused, and the list of them may be `stale`."""
    match verdict:
        case "keeps":
            return "the driver keeps the contract" + (", but for what is listed as known" if known else "")
        case "breaks":
            return "the list of known failures is out of date" if stale else "the driver breaks the contract"
        case "unchecked":
            return "no law could be checked"
        case "error":
            return "Crucible itself failed"


class Search:
    """What came of many seeds: how many, laws by status, examples, and what is wrong with each of them."""

    def __init__(self) -> None:
        self.seeds = 0
        self.examples = 0
        self.laws = Counter[str]()
        self._stale: set[str] = set()

    def add(self, certificate: Certificate) -> None:
        """One seed more."""
        stale = set(certificate.stale)
        self._stale = self._stale & stale if self.seeds else stale
        self.seeds += 1
        for law in certificate.laws:
            self.laws["known" if law.status == "failed" and law.known else law.status] += 1
            self.examples += law.examples

    @property
    def stale(self) -> list[str]:
        """Faults of the list of known failures, with whichever seed."""
        return sorted(self._stale)

    @property
    def verdict(self) -> Verdict:
        """As that of one certificate."""
        if self.laws["error"]:
            return "error"
        if self.laws["failed"] or self._stale:
            return "breaks"
        return "keeps" if self.laws["passed"] or self.laws["known"] else "unchecked"


def by_level(certificate: Certificate) -> dict[str, list[LawResult]]:
    """The laws by level, in the order of their first law."""
    levels: dict[str, list[LawResult]] = {}
    for law in certificate.laws:
        levels.setdefault(law.level, []).append(law)
    return levels


def load(path: Path) -> Certificate:
    """Read a certificate. InputError if it cannot be read, is none, or is of another schema."""
    return documents.load(
        path, Certificate, schema=SCHEMA, noun="certificate", otherwise="is no certificate of crucible"
    )
