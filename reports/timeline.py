"""One cell as a story: every step with its virtual time, what changed, and the judgement at the end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.results import CellResult, Judgement, TimelineEvent
from reports.grid import STYLES
from reports.printable import printable
from reports.terminal import known_faults

State = tuple[str, str | None] | None

_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-([0-9a-f]{4})([0-9a-f]{8})\b")
_ACTOR_WIDTH = 22
_STEP_WIDTH = 30

_HOLDS = {True: ("holds", "green"), False: ("BROKEN", "bold red"), None: ("cannot tell", "bold magenta")}


def show(out: Console, result: CellResult, titles: Mapping[str, str]) -> None:
    """The whole cell on `out`: id, timeline, expected and observed, invariants, verdict.

    `titles` has the titles of the known faults by id.
    """
    out.print(Text(printable(result.id), style="bold"), soft_wrap=True)
    out.print()
    if result.timeline:
        _show_timeline(out, result.timeline)
        out.print()
    _show_outcomes(out, result)
    if result.invariants:
        out.print()
        _show_invariants(out, result.invariants)
    out.print()
    _show_verdict(out, result, titles)


def seconds(time_us: int) -> str:
    """Virtual time in seconds, to the millisecond."""
    return f"{time_us // 1_000_000}.{time_us % 1_000_000 // 1000:03}"


def shortened(text: str) -> str:
    """`text` with every uuid cut to its last eight digits, the ones that differ within a run."""
    return _UUID.sub(r"..\2", text)


def changes(events: Sequence[TimelineEvent]) -> list[str]:
    """For each event, what it changed of ``status/migration_status`` of the two records, or nothing."""
    lines = []
    before: tuple[State, State] = (None, None)
    for event in events:
        now = (event.source, event.temporary)
        parts = [
            f"{name} {_change(old, new)}"
            for name, old, new in zip(("source", "temporary"), before, now, strict=True)
            if old != new
        ]
        lines.append("; ".join(parts))
        before = now
    return lines


def _change(old: State, new: State) -> str:
    if old is None:
        return f"is {_state(new)}"
    return f"{_state(old)} -> {_state(new)}"


def _state(state: State) -> str:
    if state is None:
        return "gone"
    status, migration_status = state
    return f"{status}/{migration_status or '-'}"


def _shown(text: str) -> str:
    return printable(shortened(text))


def _show_timeline(out: Console, events: Sequence[TimelineEvent]) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(max_width=_ACTOR_WIDTH, overflow="fold")
    table.add_column(max_width=_STEP_WIDTH, overflow="fold")
    table.add_column(overflow="fold")
    table.add_row(*(Text(title, style="dim") for title in ("time (s)", "actor", "step", "detail")))
    for event, change in zip(events, changes(events), strict=True):
        detail = Text(_shown(event.detail))
        if change:
            detail.append("\n" if event.detail else "").append(_shown(change), style="cyan")
        table.add_row(
            Text(seconds(event.time_us), style="dim"),
            Text(_shown(event.actor), style="blue"),
            Text(_shown(event.step), style="bold"),
            detail,
        )
    out.print(table)


def _show_outcomes(out: Console, result: CellResult) -> None:
    expected, observed = result.expected, result.observed
    rule = f"(rule {expected.rule}{', ' if expected.source else ''}{expected.source})"
    table = _facts()
    table.add_row("expected", _outcome(expected.outcome, expected.code), Text(printable(expected.reason)))
    table.add_row("", "", Text(printable(rule), style="dim"))
    table.add_row("observed", _outcome(observed.outcome, observed.code), Text(_shown(observed.reason)))
    if result.difference:
        table.add_row("", "", Text(_shown(result.difference), style=STYLES[result.verdict]))
    out.print(table)


def _outcome(outcome: str, code: int | None) -> str:
    return f"{outcome} ({code})" if code is not None else outcome


def _show_invariants(out: Console, invariants: Sequence[Judgement]) -> None:
    table = _facts()
    for judged in invariants:
        word, style = _HOLDS[judged.holds]
        text = "\n".join(_shown(detail) for detail in judged.details)
        if judged.fault:
            text += ("\n" if text else "") + f"known fault {printable(judged.fault)}"
        table.add_row(Text(printable(judged.name)), Text(word, style=style), Text(text))
    out.print(table)


def _show_verdict(out: Console, result: CellResult, titles: Mapping[str, str]) -> None:
    out.print(Text("verdict: ").append(result.verdict, style=STYLES[result.verdict]))
    for fault in known_faults(result):
        out.print(Text(printable(f"known fault {fault}: {titles.get(fault, 'no title')}")))


def _facts() -> Table:
    """A table of name, finding and explanation, the last of which may wrap."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table
