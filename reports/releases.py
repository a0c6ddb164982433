"""What changed between releases of Cinder, as Markdown: the same cells, a column for each release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.errors import InputError
from harness.results import OUTCOMES, CellResult, MatrixResult, Verdict


def markdown(results: Sequence[MatrixResult]) -> str:
    """Two tables: cells by outcome and verdict, and the cells that came out differently, with their rule.

    A cell also came out differently where an invariant holds on one release and is broken on another. Only
    cells that every result has are compared. InputError if a result does not come from the real Cinder, or two
    come from the same release.
    """
    by_release: dict[str, dict[str, CellResult]] = {}
    for result in results:
        if result.cinder is None:
            raise InputError(
                f"a result of engine {result.engine} says nothing of a release; use --engine cinder"
            )
        if result.cinder in by_release:
            raise InputError(f"two results are of Cinder {result.cinder}; name one for each release")
        by_release[result.cinder] = {cell.id: cell for cell in result.cells}
    releases = sorted(by_release, key=_number)
    common = [cell for cell in by_release[releases[-1]] if all(cell in by_release[each] for each in releases)]
    return "\n".join([
        *_outcomes(by_release, releases, common), "", *_changes(by_release, releases, common), ""
    ])  # fmt: skip


def _outcomes(
    by_release: dict[str, dict[str, CellResult]], releases: list[str], common: list[str]
) -> list[str]:
    found = {release: [by_release[release][cell] for cell in common] for release in releases}
    failed = any(cell.verdict == "error" for cells in found.values() for cell in cells)
    verdicts: tuple[Verdict, ...] = ("pass", "known", "fail", *(("error",) if failed else ()))
    lines = _head(f"outcome of {len(common)} cells: {' / '.join(verdicts)}", releases)
    for outcome in OUTCOMES:
        of_it = {
            release: [cell for cell in cells if cell.observed.outcome == outcome]
            for release, cells in found.items()
        }
        if any(of_it.values()):
            lines.append(_row(outcome, [_by_verdict(of_it[release], verdicts) for release in releases]))
    lines.append(_row("all", [_by_verdict(found[release], verdicts) for release in releases]))
    return lines


def _by_verdict(cells: list[CellResult], verdicts: tuple[Verdict, ...]) -> str:
    counts = Counter(cell.verdict for cell in cells)
    return " / ".join(str(counts[verdict]) for verdict in verdicts) if cells else "."


def _changes(by_release: dict[str, dict[str, CellResult]], releases: list[str], common: list[str]) -> list[str]:
    lines: list[str] = []
    for cell in common:
        found = [by_release[release][cell] for release in releases]
        broken = [_broken(result) for result in found]
        varying = set[str]().union(*broken).difference(broken[0].intersection(*broken))
        shown = [
            ", ".join([result.observed.outcome, *sorted(each & varying)])
            for result, each in zip(found, broken, strict=True)
        ]
        if len(set(shown)) > 1:
            expected = found[-1].expected
            lines.append(_row(f"`{cell}`<br>rule {expected.rule}, `{expected.source}`", shown))
    if not lines:
        return ["No cell came out differently."]
    return [*_head("cells that came out differently", releases), *lines]


def _broken(result: CellResult) -> set[str]:
    return {judgement.name for judgement in result.invariants if judgement.holds is False}


def _head(title: str, releases: list[str]) -> list[str]:
    return [_row(title, releases), "|" + "---|" * (len(releases) + 1)]


def _row(title: str, values: list[str]) -> str:
    return f"| {title} | {' | '.join(values)} |"


def _number(release: str) -> list[int]:
    return [int(part) for part in release.split(".") if part.isdigit()]
