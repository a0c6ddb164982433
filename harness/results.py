"""The result of a run: versioned records, one JSON document. Every report is a view of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

import msgspec

from harness import documents
from harness.errors import InputError

SCHEMA = 1

Outcome = Literal["succeeded", "refused", "failed-clean", "failed-dirty", "data-loss", "crashed"]
Verdict = Literal["pass", "fail", "known", "error"]
Picture = dict[str, str | list[str]]
"""How everything stands in the end, by aspect (see `harness.matrix.picture`)."""

OUTCOMES: dict[Outcome, str] = {
    "succeeded": "done: the volume is where it should be, as it should be",
    "refused": "the API said no at once, and nothing changed",
    "failed-clean": "rolled back: the source is intact, nothing was left behind",
    "failed-dirty": "something was left behind, or is stuck",
    "data-loss": "acknowledged bytes are gone, or somebody else's can be read",
    "crashed": "an exception came through that no service handles",
}
VERDICTS: dict[Verdict, str] = {
    "pass": "as expected",
    "known": "as expected, and the expectation is a known fault of Cinder or Nova",
    "fail": "not as expected",
    "error": "Crucible itself failed on this cell",
}


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What should happen: outcome, why, by which rule, and which invariants a known fault breaks.

    `rule` is the name of the declared rule, `source` where Cinder or Nova does it. `violations` maps the
    name of an invariant to the id of the known fault that breaks it; `fault` is one that decides the outcome.
    `code` is the HTTP code of a refusal.
    """

    outcome: Outcome
    reason: str
    rule: str
    source: str = ""
    code: int | None = None
    violations: dict[str, str] = {}
    fault: str = ""

    @property
    def faults(self) -> tuple[str, ...]:
        """Every known fault that the expectation cites, each once."""
        return tuple(dict.fromkeys([*([self.fault] if self.fault else []), *self.violations.values()]))


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What did happen. `reason` is the service's own message where there is one."""

    outcome: Outcome
    reason: str
    code: int | None = None


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One invariant: `holds` is None when its checker could not tell, which is not a pass."""

    name: str
    holds: bool | None
    details: list[str] = []
    fault: str | None = None


class TimelineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a run, with (status, migration_status) of the two records after it."""

    time_us: int
    actor: str
    step: str
    detail: str = ""
    source: tuple[str, str | None] | None = None
    temporary: tuple[str, str | None] | None = None


class CellResult(msgspec.Struct, frozen=True, kw_only=True):
    """One cell: expected, observed, verdict, and the evidence. `picture` comes with `timeline`."""

    id: str
    axes: dict[str, str]
    expected: Expectation
    observed: Observation
    verdict: Verdict
    invariants: list[Judgement] = []
    timeline: list[TimelineEvent] = []
    picture: Picture = {}
    difference: str = ""


class MatrixResult(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. `started` is ISO 8601 in UTC; `selection`, `shard` and `spread` say which
    part of the matrix it is.

    `engine` is sim or cinder, and `cinder` then the release that ran. `backends` maps the name of each back-end
    of the deployment to what it is: lvm thick, lvm thin, rbd, other.
    """

    schema: int = SCHEMA
    crucible: str
    python: str
    engine: str
    cinder: str | None = None
    storage: str
    seed: int
    started: str
    duration_s: float
    config: list[str] = []
    backends: dict[str, str] = {}
    selection: str | None = None
    shard: str | None = None
    spread: int | None = None
    cells: list[CellResult] = []


def load(path: Path) -> MatrixResult:
    """Read a result file. InputError if it cannot be read, is not a result, or is of another schema."""
    return documents.load(
        path, MatrixResult, schema=SCHEMA, noun="result", otherwise="not a result of crucible"
    )


def check_writable(path: Path) -> None:
    """InputError if a report could not be written to `path`, before hours of work go into it."""
    parent = path.parent
    if path.is_dir():
        raise InputError(f"{path}: is a directory; name a file")
    if _is_special(path):
        if not os.access(path, os.W_OK):
            raise InputError(f"{path}: cannot be written to")
        return
    if not parent.is_dir():
        raise InputError(f"{path}: there is no directory {parent}")
    if not os.access(parent, os.W_OK):
        raise InputError(f"{path}: the directory {parent} cannot be written to")


def _is_special(path: Path) -> bool:
    """/dev/null, /dev/stdout, a named pipe: to rename a file over it would destroy it."""
    return path.exists() and not path.is_file()


def write_atomically(path: Path, data: bytes) -> None:
    """Write under a temporary name beside `path` and rename: the old file or the new, never a part.

    A link stays a link: what it leads to is replaced. A device or a pipe is written to as it is.
    """
    check_writable(path)
    try:
        if _is_special(path):
            path.write_bytes(data)
            return
        path = path.resolve()
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
