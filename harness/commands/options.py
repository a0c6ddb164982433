"""Options that mean the same in every command, and the session that a command finds itself in."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

import harness
from fake_backends.files.storage import StorageDirectory
from harness.commands.engine import Engine
from harness.errors import InputError
from harness.matrix.cell_storage import CellStorage
from harness.results import CellResult, MatrixResult
from reports.printable import printable, quoted

if TYPE_CHECKING:
    from harness.control_plane.deployment import BackendPlan, Deployment

DEFAULT_SEED = 0
SEED_MAX = (1 << 63) - 1


@dataclass
class Session:
    """One call of ``crucible``. `engines` opens an engine by name."""

    engines: Callable[[str], Engine]
    debug: bool = False

    def engine(self, name: str = "sim") -> Engine:
        return self.engines(name)


def cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _set_debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.find_object(Session).debug |= value  # type: ignore[union-attr]


config = click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A cinder.conf; once per node. Default: the embedded deployment.",
)
seed = click.option(
    "--seed",
    type=click.IntRange(0, SEED_MAX),
    default=DEFAULT_SEED,
    show_default=True,
    metavar="N",
    help="Everything random comes from it.",
)
json_file = click.option(
    "--json",
    "json_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the full result there.",
)
engine = click.option(
    "--engine",
    "engine_name",
    type=click.Choice(["sim", "cinder"]),
    default="sim",
    show_default=True,
    help="Who plays Cinder: Crucible's simulation, or the Cinder that is installed.",
)
_storage = click.option(
    "--storage",
    type=click.Choice(["memory", "file"]),
    default="memory",
    show_default=True,
    help="Where the bytes are kept. Files without a directory are in pyfakefs, and touch no disk.",
)
_storage_dir = click.option(
    "--storage-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep the files there, for each cell in a directory of its own.",
)


def storage(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--storage`` and ``--storage-dir``."""
    return _storage(_storage_dir(command))


debug = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_set_debug,
    help="Show the traceback of a defect of Crucible.",
)


@contextmanager
def open_storage(
    kind: str, directory: Path | None, keep: Literal["unexpected", "all"]
) -> Iterator[CellStorage]:
    """What ``--storage`` and ``--storage-dir`` ask for; the directory is ours alone meanwhile. InputError."""
    if kind == "memory":
        if directory is not None:
            raise InputError(f"--storage-dir {directory}: add --storage file, or leave the directory out")
        yield CellStorage()
    elif directory is None:
        yield CellStorage(kind="file")
    else:
        with StorageDirectory(directory):
            yield CellStorage(kind="file", directory=directory.resolve(), keep=keep)


def new_result(
    deployment: Deployment,
    configs: Sequence[Path],
    *,
    engine_name: str,
    release: str | None,
    storage: str,
    seed: int,
    selection: str | None = None,
    shard: str | None = None,
    spread: int | None = None,
) -> MatrixResult:
    """The result of a run that starts now: everything but cells and duration."""
    return MatrixResult(
        crucible=harness.__version__,
        python=platform.python_version(),
        engine=engine_name,
        cinder=release,
        storage=storage,
        seed=seed,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        duration_s=0.0,
        config=[printable(str(path)) for path in configs],
        backends={plan.name: backend_kind(plan) for plan in deployment.backends},
        selection=selection and printable(selection),
        shard=shard,
        spread=spread,
    )


def backend_kind(plan: BackendPlan) -> str:
    """What a back-end is, in a word or two: LVM comes thick and thin, NFS with raw and with qcow2 files."""
    if plan.kind == "lvm":
        return "lvm thin" if plan.thin else "lvm thick"
    if plan.kind == "nfs":
        return "nfs qcow2" if plan.qcow2 else "nfs raw"
    if plan.seen is not None:
        return plan.seen.driver
    return plan.kind


def to_repeat(seed: int, configs: Sequence[Path], storage: str, engine_name: str) -> str:
    """The options that a command needs to repeat a cell of this run, with a blank in front of each."""
    words = [f" --seed {seed}"] if seed != DEFAULT_SEED else []
    words += [f" --engine {engine_name}"] if engine_name != "sim" else []
    words += [f" --storage {storage}"] if storage != "memory" else []
    return "".join(words + [f" --config {quoted(str(path))}" for path in configs])


def exit_status(cells: Sequence[CellResult]) -> int:
    """0 all as expected, 1 something differs, 3 Crucible itself failed on a cell."""
    verdicts = {cell.verdict for cell in cells}
    return 3 if "error" in verdicts else 1 if "fail" in verdicts else 0


def check_backends(name: str, needed: Sequence[str], deployment: Deployment) -> None:
    """InputError unless the deployment has all the back-ends that a named cell needs."""
    known = [facts.name for facts in deployment.backends]
    missing = [backend for backend in dict.fromkeys(needed) if backend not in known]
    if missing:
        raise InputError(
            f"{name} needs the back-end {missing[0]!r} of the embedded deployment; leave out --config, "
            f"or give the id of a cell on {', '.join(known)}"
        )
