"""What is wrong with the outside of drivers, as Markdown: the table that is kept in docs/interface.md."""

from __future__ import annotations

from collections.abc import Sequence

from reports.printable import printable


def interface_page(release: str, drivers: Sequence[str], findings: Sequence[tuple[str, str, str]]) -> str:
    """`findings` are (driver, kind, text). One row for each driver, those without findings in one line."""
    by_driver: dict[str, list[tuple[str, str]]] = {name: [] for name in drivers}
    for driver, kind, text in findings:
        by_driver[driver].append((kind, text))
    clean = [name for name, found in by_driver.items() if not found]
    lines = [
        f"# Interfaces of the drivers in Cinder {release}",
        "",
        f"`crucible interface` looks at every driver that Cinder registers: {len(drivers)} in this release.",
        f"There is nothing to complain of in {len(clean)} of them.",
        "",
        "| driver | what | finding |",
        "|---|---|---|",
    ]
    for name, found in by_driver.items():
        lines += [f"| {_short(name)} | {kind} | {_cell(text)} |" for kind, text in found]
    lines += ["", "Nothing to complain of:", "", *(f"- {_short(name)}" for name in clean)]
    return "\n".join(lines) + "\n"


def _short(driver: str) -> str:
    return printable(driver.removeprefix("cinder.volume.drivers."))


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|").replace("*", "\\*")
