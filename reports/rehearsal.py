"""A rehearsal on the terminal: what will happen, why, what to expect on the way, and what to do instead."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.rehearsal.answer import SIMULATED_GB_MAX, Answer, Rehearsal
from harness.results import OUTCOMES
from reports.printable import printable
from reports.timeline import seconds

SPOKEN_OF = "29"
"""The release of Cinder that answers are about, unless they say otherwise."""
_GOOD, _BAD, _DIM = "green", "bold red", "dim"


def show(out: Console, rehearsal: Rehearsal) -> None:
    """Every answer, one under the other; where there are several, a summary first."""
    if len(rehearsal.answers) > 1:
        _summary(out, rehearsal.answers)
    for each in rehearsal.answers:
        _answer(out, each, rehearsal)
    longer = rehearsal.size_gb / SIMULATED_GB_MAX
    times = (
        f" Times are those of {SIMULATED_GB_MAX} GiB: expect {longer:.1f} times as long." if longer > 1 else ""
    )
    out.print(
        Text(
            "Rehearsed on storage of assumed size (10 TiB for each volume group and share) that copies "
            f"100 MiB/s, for a project with enough quota.{times}",
            style=_DIM,
        )
    )


def _summary(out: Console, answers: list[Answer]) -> None:
    out.print(Text("It depends on where the volume is:", style="bold"))
    table = _table(3)
    for each in answers:
        table.add_row(f"  {printable(each.source)}", _verdict(each), printable(each.expected.reason))
    out.print(table)
    out.print()


def _answer(out: Console, each: Answer, rehearsal: Rehearsal) -> None:
    out.print(Text(f"{printable(each.source)} > {printable(each.destination)}", style="bold"))
    out.print(Text(f"$ {printable(each.command)}"), soft_wrap=True)
    out.print()
    table = _table(2)
    outcome = OUTCOMES[each.expected.outcome].removeprefix("done: ")
    code = f" (HTTP {each.expected.code})" if each.expected.code else ""
    table.add_row("what", _verdict(each).append(f"{code}: {outcome}", style="default"))
    table.add_row("why", printable(each.expected.reason))
    table.add_row("", _source(f"rule {each.expected.rule}, {each.expected.source}"))
    if not each.agrees:
        table.add_row("but", Text(f"the simulation disagrees: {printable(each.difference)}", style=_BAD))
    table.add_row("writes", Text(each.writes, style=_BAD if each.writes.startswith("NOT") else ""))
    table.add_row(
        "attach", Text(each.who_may_attach, style=_BAD if each.who_may_attach.startswith("ANY") else "")
    )
    for number, need in enumerate(each.space):
        table.add_row("space" if number == 0 else "", _need(need.backend, need.promised_gb, need.why))
    for number, fault in enumerate(each.faults):
        breaks = f" Breaks: {', '.join(fault.breaks)}." if fault.breaks else ""
        table.add_row("known" if number == 0 else "", printable(f"{fault.title}{breaks} ({fault.id})"))
    for number, obstacle in enumerate(each.then):
        table.add_row(
            "then" if number == 0 else "", f"{printable(obstacle.reason)} {printable(obstacle.advice)}"
        )
        name = "" if obstacle.name == "none" else f"{obstacle.name}: "
        table.add_row("", _source(f"{name}rule {obstacle.rule}, {obstacle.source}"))
    if rehearsal.cinder.partition(".")[0] != SPOKEN_OF:
        differences = each.other_release or [f"No difference to Cinder {SPOKEN_OF} is known here."]
        for number, sentence in enumerate(differences):
            style = "yellow" if each.other_release else ""
            name = f"in {rehearsal.cinder}" if number == 0 else ""
            table.add_row(name, Text(printable(sentence), style=style))
    for number, other in enumerate(each.instead):
        table.add_row("instead" if number == 0 else "", f"{other.how}. {other.reason}")
        table.add_row("", _source(f"rule {other.rule}, simulated too"))
    if each.advice:
        table.add_row("or" if each.instead else "instead", printable(each.advice))
    out.print(table)
    out.print()
    _way(out, each)
    out.print()


def _way(out: Console, each: Answer) -> None:
    out.print(Text("  statuses on the way", style="bold"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_row(*(Text(title, style=_DIM) for title in ("", "volume", "temporary", "after")))
    for step in each.way:
        table.add_row(
            Text(f"  {seconds(step.time_us):>9}", style=_DIM),
            f"{step.status}/{step.migration_status or '-'}",
            step.temporary or "",
            Text(printable(step.step), style=_DIM),
        )
    out.print(table)


def _verdict(each: Answer) -> Text:
    if each.well:
        return Text("succeeds", style=_GOOD)
    words = {"succeeded": "succeeds, but", "refused": "refused", "data-loss": "LOSES OR SHOWS DATA"}
    return Text(words.get(each.expected.outcome, "fails"), style=_BAD)


def _need(backend: str, promised_gb: float, why: str) -> str:
    return f"{promised_gb:.6g} GiB on {printable(backend)}: {why}"


def _source(text: str) -> Text:
    return Text(printable(text), style=_DIM)


def _table(columns: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for number in range(columns):
        table.add_column(no_wrap=number < columns - 1, overflow="fold")
    return table
