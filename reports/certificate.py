"""A certificate on the terminal, and as a row of a table: what was checked, what broke, and how to see it
again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from harness.certificates import Certificate, LawResult, Search, Verdict, by_level, in_words, tally
from reports.printable import printable, quoted

ALSO_SHOWN = 12
"""Laws that are named, if many broke in the same way."""
STYLES = {"passed": "green", "failed": "red", "skipped": "yellow", "error": "magenta", "known": "cyan"}
STATE_STYLES = {"reached": "green", "not checked": "yellow", "not reached": "red"}
VERDICT_STYLES = {"keeps": "bold green", "breaks": "bold red", "unchecked": "bold red", "error": "bold magenta"}


class CertificateTerminal:
    """Shows laws as they are decided, and the certificate at the end."""

    def __init__(self, out: Console, progress: Console, *, total: int) -> None:
        self._out = out
        self._bar = Progress(
            TextColumn("laws"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[law]}"),
            console=progress,
            transient=True,
            disable=not progress.is_terminal,
        )
        self._task: TaskID = self._bar.add_task("laws", total=total, law="")

    def show(self, text: str) -> None:
        """One line of the heading."""
        self._line(printable(text))

    def begin(self) -> None:
        self._bar.start()

    def law(self, result: LawResult) -> None:
        self._bar.update(self._task, advance=1, law=printable(result.law))

    def stop(self) -> None:
        """No more laws come."""
        self._bar.stop()

    def seed(self, certificate: Certificate) -> None:
        """One of many seeds: only what broke is shown."""
        self._bar.update(self._task, advance=1, law=f"seed {certificate.seed}")
        self._failures(certificate)

    def searched(self, found: Search, duration_s: float) -> None:
        """What many seeds came to."""
        counts = ", ".join(
            f"{found.laws[status]} {status}" for status in ("passed", "failed", "error", "known")
        )
        for text in found.stale:
            self._line(Text(f"Known failures: {printable(text)}", style=STYLES["failed"]))
        self._line(
            f"{found.seeds} seeds: laws {counts}, {found.laws['skipped']} skipped; "
            f"{found.examples} examples in {duration_s:.1f} s"
        )
        self._verdict(found.verdict, found.laws["failed"], found.laws["known"])

    def end(self, certificate: Certificate) -> None:
        """Everything that a person must know."""
        self._groups(certificate.laws)
        self._skips(certificate.laws)
        self._known(certificate.laws)
        self._failures(certificate)
        for text in certificate.stale:
            self._line()
            self._line(Text(f"Known failures: {printable(text)}", style=STYLES["failed"]))
        self._levels(certificate)
        self._line()
        self._line(totals(certificate))
        self._verdict(certificate.verdict, len(broken(certificate)), tally(certificate.laws).known)

    def _verdict(self, verdict: Verdict, failed: int, known: int) -> None:
        said = Text(f"verdict: {verdict}", style=VERDICT_STYLES[verdict])
        meaning = in_words(verdict, known=known, stale=not failed)
        self._line(said.append(f" ({meaning})", style="default"))

    # -------------------------------------------------------------------------------------- its sections

    def _line(self, text: Text | str = "") -> None:
        self._out.print(text, soft_wrap=True)

    def _groups(self, laws: Sequence[LawResult]) -> None:
        self._line()
        names = list(dict.fromkeys(law.group for law in laws))
        width = max(map(len, names))
        self._line(
            Text(f"  {'group'.ljust(width)}  laws  passed  known  failed  skipped  examples", style="dim")
        )
        for name in names:
            mine = [law for law in laws if law.group == name]
            count = tally(mine)
            line = Text(f"  {name.ljust(width)}  {len(mine):4}  {count.passed:6}")
            line.append(f"  {count.known or '.':>5}", style=STYLES["known"] if count.known else "dim")
            line.append(f"  {count.failed or '.':>6}", style=STYLES["failed"] if count.failed else "dim")
            line.append(f"  {count.skipped or '.':>7}", style=STYLES["skipped"] if count.skipped else "dim")
            line.append(f"  {sum(law.examples for law in mine):8}")
            self._line(line)

    def _skips(self, laws: Sequence[LawResult]) -> None:
        """Not checked, by reason."""
        if not (number := tally(laws).skipped):
            return
        self._line()
        self._line(Text(f"Not checked ({number})", style=f"bold {STYLES['skipped']}"))
        for reason, those in not_checked(laws):
            self._line(f"  {number_of(those):>8}  {printable(reason)}")

    def _known(self, laws: Sequence[LawResult]) -> None:
        known = [law for law in laws if law.known]
        if known:
            self._line()
            self._line(Text(f"Known failures ({len(known)})", style=f"bold {STYLES['known']}"))
        for law in known:
            self._line(f"  {law.law}  # {printable(law.known)}")

    def _failures(self, certificate: Certificate) -> None:
        for shown, others in alike(broken(certificate)):
            self._failure(certificate, shown)
            self._also(others)

    def _failure(self, certificate: Certificate, law: LawResult) -> None:
        self._line()
        word = "Broken" if law.status == "failed" else "Defect of Crucible, please report it"
        self._line(Text(f"{word}: {printable(law.sentence)}", style=f"bold {STYLES[law.status]}"))
        self._line(f"  law       {law.law} ({printable(law.source)})")
        if law.values:
            values = ", ".join(f"{name}={value}" for name, value in law.values.items())
            self._line(f"  values    {printable(values)}")
        self._line(f"  found     {printable(law.reason)}")
        for number, step in enumerate(law.steps, start=1):
            self._line(f"  {'sequence' if number == 1 else '':8} {number:3}. {printable(step)}")
        self._line(f"  repeat    {command(certificate, law.law)}")

    def _also(self, laws: Sequence[LawResult]) -> None:
        for number, law in enumerate(laws[:ALSO_SHOWN]):
            self._line(f"  {'' if number else 'also':8}  {law.law}")
        if len(laws) > ALSO_SHOWN:
            self._line(f"  {'':8}  and {len(laws) - ALSO_SHOWN} more, which --json and --html name")

    def _levels(self, certificate: Certificate) -> None:
        self._line()
        for level, laws in by_level(certificate).items():
            count = tally(laws)
            details = [f"{count.passed} passed"]
            details += [f"{count.known} known"] if count.known else []
            details += [f"{count.failed} failed"] if count.failed else []
            details += [f"{count.skipped} skipped"] if count.skipped else []
            self._line(
                Text(f"  level {level.ljust(22)}")
                .append(count.state.ljust(12), style=STATE_STYLES[count.state])
                .append(", ".join(details))
            )


def broken(certificate: Certificate) -> list[LawResult]:
    """Laws that failed, though nobody expected it, and those on which Crucible itself did."""
    return [law for law in certificate.laws if law.status in ("failed", "error") and not law.known]


def alike(laws: Sequence[LawResult]) -> list[tuple[LawResult, list[LawResult]]]:
    """For each thing that went wrong: the law that shows it in the fewest steps, and the others that met it."""
    by_reason: dict[tuple[str, str], list[LawResult]] = {}
    for law in laws:
        by_reason.setdefault((law.status, law.reason), []).append(law)
    found = []
    for those in by_reason.values():
        shown = min(those, key=lambda law: len(law.steps))
        found.append((shown, [law for law in those if law is not shown]))
    return found


def not_checked(laws: Sequence[LawResult]) -> list[tuple[str, list[LawResult]]]:
    """The laws that were skipped, by reason, in the order of the reasons."""
    skipped = sorted((law for law in laws if law.status == "skipped"), key=lambda law: law.reason)
    return [(reason, list(those)) for reason, those in groupby(skipped, key=lambda law: law.reason)]


def command(certificate: Certificate, law: str = "") -> str:
    """The command that checks the same again, or one law of it with the same examples."""
    words = ["crucible", "certify", certificate.subject]
    for path in certificate.configuration:
        words += ["--config", path]
    words += ["--backend", certificate.backend] if certificate.backend else []
    words += ["--array", certificate.array] if certificate.array else []
    if not law:
        for level in certificate.levels:
            words += ["--level", level]
        words += ["--xfail", certificate.xfail] if certificate.xfail else []
    keyword = law or certificate.keyword
    words += ["--profile", certificate.profile, "--seed", str(certificate.seed)]
    words += ["-k", keyword] if keyword else []
    return " ".join(map(quoted, words))


def number_of(laws: Sequence[object]) -> str:
    """How many laws, in words."""
    return f"{len(laws)} law{'' if len(laws) == 1 else 's'}"


def totals(certificate: Certificate) -> str:
    """Laws by status, examples, time, on one line."""
    laws = certificate.laws
    counts = ", ".join(
        f"{sum(law.status == status and not (status == 'failed' and law.known) for law in laws)} {status}"
        for status in ("passed", "failed", "skipped", "error")
    )
    known = tally(laws).known
    examples = sum(law.examples for law in laws)
    line = f"{number_of(laws)}: {counts}, {known} known; {examples} examples in {certificate.duration_s:.1f} s"
    return line + (f", {examples / certificate.duration_s:.0f}/s" if certificate.duration_s > 0 else "")
