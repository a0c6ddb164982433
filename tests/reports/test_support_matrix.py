"""The support matrix, from certificates."""

from __future__ import annotations

import msgspec

from harness.certificates import Certificate, LawResult, Status
from reports.support_matrix import markdown, restructured_text


def law(level: str, status: Status, known: str = "") -> LawResult:
    """One result."""
    return LawResult(law="g/l", sentence="", source="", group="g", level=level, status=status, known=known)


def certificate(subject: str, *laws: LawResult) -> Certificate:
    """Of these laws."""
    return Certificate(
        crucible="0.1.0",
        python="3.11",
        subject=subject,
        driver=subject,
        version="1.0",
        digest="0123456789abcdef",
        profile="ci",
        seed=0,
        started="2026-11-26T00:00:00+00:00",
        duration_s=1,
        verdict="keeps",
        laws=list(laws),
    )


CERTIFICATES = [
    certificate("lvm", law("core", "passed"), law("core", "skipped"), law("revert", "failed", "LP 1")),
    certificate("nfs", law("core", "failed"), law("revert", "skipped")),
]


def test_markdown_shows_who_reaches_what() -> None:
    """A skip alone is no pass; a known failure shows."""
    assert markdown(CERTIFICATES).splitlines()[:4] == [
        "| driver | version | Cinder | core | revert |",
        "| --- | --- | --- | --- | --- |",
        "| lvm | 1.0 | 29, simulated | yes | 1 known failure |",
        "| nfs | 1.0 | 29, simulated | no | not checked |",
    ]


def test_restructured_text_has_the_same_cells() -> None:
    """As a list-table, with where it comes from."""
    text = restructured_text(CERTIFICATES)
    assert "   * - nfs\n     - 1.0\n     - 29, simulated\n     - no\n     - not checked\n" in text
    assert "lvm: crucible 0.1.0, 2026-11-26, profile ci, seed 0, source 0123456789ab" in text


def test_one_driver_may_be_certified_in_several_ways() -> None:
    """Release and section tell the rows apart."""
    plain = certificate("cinder.NfsDriver", law("core", "passed"))
    released = msgspec.structs.replace(plain, cinder="29.0.0")
    qcow2 = msgspec.structs.replace(released, configuration=["/etc/cinder/nfs.conf"], backend="qcow2")
    assert [line.split(" | ")[:3] for line in markdown([released, qcow2]).splitlines()[2:4]] == [
        ["| cinder.NfsDriver", "1.0", "29.0.0"],
        ["| cinder.NfsDriver ([qcow2] of nfs.conf)", "1.0", "29.0.0"],
    ]
