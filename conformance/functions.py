"""Laws as plain functions, for a driver's own test suite; no pytest is needed.

    from conformance import check_volumes, subject

    def test_volumes() -> None:
        check_volumes(subject("my_pkg.driver:MyDriver"))

Each raises AssertionError with every law that is broken, its values, its steps and what should be. Known
failures of the reference driver that a driver derives from do not count. ValueError if all laws were skipped:
nothing was checked then.
"""

from __future__ import annotations

from collections.abc import Sequence

from conformance import xfail
from conformance.catalogue import catalogue
from conformance.elsewhere import Elsewhere
from conformance.law import Law
from conformance.runner import check
from conformance.subjects import Subject
from harness.certificates import LawResult


def check_laws(
    subject: Subject | Elsewhere, laws: Sequence[Law], *, profile: str = "ci", seed: int = 0
) -> list[LawResult]:
    """Check these laws; returns the results if none is broken."""
    results = check(subject, laws, profile=profile, seed=seed)
    known = xfail.known_of(subject)
    excused = {result.law for result in results if any(entry.covers(result) for entry in known)}
    broken = [each for each in results if each.status in ("failed", "error") and each.law not in excused]
    if broken:
        raise AssertionError("\n\n".join(told(each) for each in broken))
    if all(result.status == "skipped" for result in results):
        reasons = ", ".join(dict.fromkeys(result.reason for result in results))
        raise ValueError(f"no law could be checked: {reasons}")
    return results


def told(result: LawResult) -> str:
    """A failure in a few lines: the law, the values, what was found, and the sequence that leads there."""
    values = ", ".join(f"{name}={value}" for name, value in result.values.items())
    lines = [f"{result.law}: {result.sentence}", f"  {result.reason}"]
    lines += [f"  with {values}"] if values else []
    lines += [f"  {number}. {step}" for number, step in enumerate(result.steps, start=1)]
    return "\n".join([*lines, f"  (see {result.source})"])


def _group(subject: Subject | Elsewhere, name: str, profile: str, seed: int) -> list[LawResult]:
    laws = [law for law in catalogue() if law.group == name]
    return check_laws(subject, laws, profile=profile, seed=seed)


def check_volumes(subject: Subject | Elsewhere, *, profile: str = "ci", seed: int = 0) -> list[LawResult]:
    """Creating and deleting volumes."""
    return _group(subject, "volumes", profile, seed)


def check_snapshots(subject: Subject | Elsewhere, *, profile: str = "ci", seed: int = 0) -> list[LawResult]:
    """Snapshots, and volumes made from them."""
    return _group(subject, "snapshots", profile, seed)


def check_clones(subject: Subject | Elsewhere, *, profile: str = "ci", seed: int = 0) -> list[LawResult]:
    """Clones of volumes."""
    return _group(subject, "clones", profile, seed)


def check_extend(subject: Subject | Elsewhere, *, profile: str = "ci", seed: int = 0) -> list[LawResult]:
    """Extending volumes."""
    return _group(subject, "extend", profile, seed)


def check_connections(subject: Subject | Elsewhere, *, profile: str = "ci", seed: int = 0) -> list[LawResult]:
    """Connecting volumes to hosts."""
    return _group(subject, "connections", profile, seed)


def check_exports(subject: Subject | Elsewhere, *, profile: str = "ci", seed: int = 0) -> list[LawResult]:
    """create_export, ensure_export, remove_export."""
    return _group(subject, "exports", profile, seed)


def check_stats(subject: Subject | Elsewhere, *, profile: str = "ci", seed: int = 0) -> list[LawResult]:
    """What a driver reports of itself."""
    return _group(subject, "stats", profile, seed)


def check_names(subject: Subject | Elsewhere, *, profile: str = "ci", seed: int = 0) -> list[LawResult]:
    """name_id instead of id."""
    return _group(subject, "names", profile, seed)


def check_migration(subject: Subject | Elsewhere, *, profile: str = "ci", seed: int = 0) -> list[LawResult]:
    """Migrations from and to the driver's back-end."""
    groups = ("migration from", "migration to", "destination", "assisted")
    laws = [law for law in catalogue() if law.group in groups]
    return check_laws(subject, laws, profile=profile, seed=seed)


def check_level(
    subject: Subject | Elsewhere, level: str, *, profile: str = "ci", seed: int = 0
) -> list[LawResult]:
    """All laws of a level (`conformance.levels`)."""
    laws = [law for law in catalogue() if law.level == level]
    return check_laws(subject, laws, profile=profile, seed=seed)
