"""The command line: what is shown where, and which exit status says what. The engine is a fake."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from click.testing import CliRunner

import harness
from harness.cli import crucible, main
from harness.commands.engine import Engine, Timelines, open_engine
from harness.commands.options import Session, backend_kind, to_repeat
from harness.control_plane.deployment import Deployment
from harness.errors import InputError, KernelError
from harness.matrix.cell_storage import CellStorage
from harness.matrix.cells import Cell
from harness.results import CellResult, Expectation, Observation, TimelineEvent, Verdict, load

CELLS = [
    Cell(operation=operation, source=source, destination=destination, status=status)
    for operation in ("migrate", "retype")
    for source in ("lvm-1", "rbd-1")
    for destination in ("lvm-1", "rbd-1")
    for status in ("available", "in-use")
]


class FakeEngine:
    """Answers without running anything. `verdicts` by cell id; `failure` is raised in place of a run."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Verdict] = {}
        self.failure: BaseException | None = None
        self.seen: dict[str, Any] = {}
        self.release: str | None = None

    def __call__(self, name: str) -> Engine:
        assert name == ("cinder" if self.release else "sim")
        return self

    def deployment(self, paths: Sequence[Path]) -> Any:
        for path in paths:
            if not path.exists():
                raise InputError(f"{path}: cannot be read: No such file or directory")
        backends = tuple(
            SimpleNamespace(
                name=name,
                address=f"node@{name}#pool",
                kind=name[:3],
                thin=name[:3] == "rbd",
                qcow2=False,
                node="node",
                container=f"node/{name}",
                availability_zone="nova",
                seen=None,
            )
            for name in ("lvm-1", "rbd-1")
        )
        return SimpleNamespace(backends=backends)

    def cells(self, deployment: Any) -> list[Cell]:
        return CELLS

    def find(self, deployment: Any, cell_id: str) -> Cell:
        for cell in CELLS:
            if cell.id == cell_id:
                return cell
        raise InputError(f"there is no cell {cell_id!r}; near it is {CELLS[0].id}")

    def run_cell(
        self, deployment: Any, cell: Cell, *, seed: int, keep_timeline: bool, storage: CellStorage
    ) -> CellResult:
        if self.failure is not None:
            raise self.failure
        self.seen |= {"cell": cell, "seed": seed, "storage": storage}
        return CellResult(
            id=cell.id,
            axes=cell.axes,
            expected=Expectation(outcome="succeeded", reason="nothing stands in the way", rule="plain"),
            observed=Observation(outcome="succeeded", reason="moved"),
            verdict=self.verdicts.get(cell.id, "pass"),
            timeline=[TimelineEvent(time_us=1_000, actor="api", step="os-migrate_volume")] * keep_timeline,
        )

    def run_cells(
        self,
        deployment: Any,
        cells: Sequence[Cell],
        *,
        seed: int,
        jobs: int,
        timelines: Timelines,
        on_result: Callable[[CellResult], None],
        storage: CellStorage,
    ) -> list[CellResult]:
        self.seen |= {"jobs": jobs, "timelines": timelines}
        results = []
        for cell in cells:
            keep = timelines == "all"
            results.append(self.run_cell(deployment, cell, seed=seed, keep_timeline=keep, storage=storage))
            on_result(results[-1])
        return results

    def reproductions(self) -> Mapping[str, Any]:
        named = {
            "lvm-to-rbd-in-use": Cell(source="lvm-1", destination="rbd-1", status="in-use"),
            "elsewhere": Cell(source="lvm-9", destination="rbd-1"),
        }
        return {
            name: SimpleNamespace(
                name=name, title=f"The {name} case", cell=cell, story="Once [it] was.", source="LP-1"
            )
            for name, cell in named.items()
        }

    def faults(self) -> Mapping[str, str]:
        return {"LP-2": "Second", "LP-1": "First"}


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> Run:
    """Calls the command line: (exit status, standard output, standard error)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments, engines=engine)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def assert_one_line(text: str) -> None:
    assert text.startswith("crucible: ")
    assert text.count("\n") == 1
    assert "Traceback" not in text


# ------------------------------------------------------------------------------------------------ crucible


def test_without_arguments_help_with_the_most_useful_first(run: Run) -> None:
    """Examples, then the commands in the order of their use."""
    status, out, _ = run()
    assert status == 0
    assert out.index("crucible matrix ") < out.index("Commands:")
    commands = [line.split()[0] for line in out.split("Commands:\n")[1].splitlines()]
    assert commands[:4] == ["matrix", "reproduce", "plan", "certify"]
    assert {"verify", "compare", "releases", "list", "storage", "serve"} <= set(commands)


def test_the_version(run: Run) -> None:
    """One line, for reports of defects."""
    assert run("--version") == (0, f"crucible {harness.__version__}\n", "")


def test_help_needs_no_engine() -> None:
    """Nothing heavy is loaded for a page of text."""
    script = "import sys, harness.cli; harness.cli.main(['matrix', '-h']); print('oslo_config' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(harness.__file__).parents[1])}
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, env=environment
    ).stdout
    assert output.endswith(b"False\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nonsense"],
        ["matrix", "--seed", "x"],
        ["matrix", "--seed", "-1"],
        ["matrix", "-j", "0"],
        ["matrix", "--timelines", "some"],
        ["matrix", "--engine", "real"],
        ["matrix", "surplus"],
        ["matrix", "--shard", "3/2"],
        ["matrix", "--select", "sorce=lvm-1"],
        ["matrix", "--select", "status=in-us"],
        ["matrix", "--select", "(("],
        ["matrix", "--config", "/nonexistent/cinder.conf"],
        ["matrix", "--json", "/nonexistent/result.json"],
        ["reproduce"],
        ["reproduce", "lvm-to-rdb-in-use"],
        ["reproduce", "migrate/lvm-1/nowhere/available"],
        ["reproduce", "elsewhere"],
        ["reproduce", "lvm-to-rbd-in-use", "--nova", "40"],
        ["reproduce", "lvm-to-rbd-in-use", "--json", "/nonexistent/result.json"],
        ["list"],
        ["list", "nonsense"],
        ["matrix", "--config", "a\nb\x1b[2J"],
    ],
)
def test_bad_usage_and_input_are_one_line_and_status_2(run: Run, arguments: list[str]) -> None:
    """Nothing on standard output, no traceback, no escape sequence of the user's comes back."""
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert_one_line(err)
    assert "\x1b" not in err


def test_suggestions_name_the_nearest(run: Run) -> None:
    """A typing mistake is answered with what was probably meant."""
    assert "did you mean 'source'?" in run("matrix", "--select", "sorce=lvm-1")[2]
    assert "did you mean 'lvm-to-rbd-in-use'?" in run("reproduce", "lvm-to-rdb-in-use")[2]
    assert "--seed" in run("matrix", "--sed", "1")[2]


@pytest.mark.parametrize("command", [["matrix"], ["reproduce", "lvm-to-rbd-in-use"]])
def test_a_defect_is_one_line_and_status_3(
    run: Run, engine: FakeEngine, command: list[str], tmp_path: Path
) -> None:
    """Any exception that is not the user's doing; the traceback only on request; no result file."""
    path = tmp_path / "result.json"
    for failure in (KeyError("gone\n[red]"), KernelError("stuck")):
        engine.failure = failure
        status, _, err = run(*command, "--json", str(path))
        assert status == 3
        assert_one_line(err)
        assert type(failure).__name__ in err
        assert "report" in err
        status, _, err = run(*command, "--debug")
        assert status == 3
        assert "Traceback" in err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_is_one_line_and_status_130(run: Run, engine: FakeEngine, tmp_path: Path) -> None:
    """Nothing half-written stays."""
    engine.failure = KeyboardInterrupt()
    status, _, err = run("matrix", "--json", str(tmp_path / "result.json"))
    assert (status, err.strip()) == (130, "crucible: interrupted")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_seen_enough_is_no_defect(tmp_path: Path) -> None:
    """`crucible list axes | head -1` ends quietly."""
    environment = {**os.environ, "PYTHONPATH": str(Path(harness.__file__).parents[1])}
    script = "import sys, harness.cli; sys.exit(harness.cli.main(['list', 'axes']))"
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=pipe, stderr=subprocess.PIPE, check=False, env=environment
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_that_cannot_show_a_character_gets_its_escape(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ASCII terminal is no reason for a traceback."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["matrix", "--config", "größe.conf"], engines=engine) == 2
    sys.stderr.flush()
    assert b"gr\\xf6\\xdfe.conf" in raw.getvalue()


def test_the_result_names_the_release_of_cinder(run: Run, engine: FakeEngine, tmp_path: Path) -> None:
    """A result of the real Cinder is worth little without its release; a cell's command repeats the engine."""
    engine.release = "29.0.0"
    engine.verdicts = {CELLS[0].id: "fail"}
    _, out, _ = run("matrix", "--engine", "cinder", "--json", str(tmp_path / "result.json"))
    result = load(tmp_path / "result.json")
    assert (result.engine, result.cinder) == ("cinder", "29.0.0")
    assert "engine cinder 29.0.0" in out
    assert "--engine cinder" in out


def test_there_are_two_engines() -> None:
    """`--engine` offers what `open_engine` opens."""
    with pytest.raises(ValueError, match="unknown engine real"):
        open_engine("real")


# -------------------------------------------------------------------------------------------------- matrix


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [((), 0), (("known",), 0), (("fail",), 1), (("error",), 3), (("fail", "error"), 3), (("known", "fail"), 1)],
)
def test_the_exit_status_tells_the_worst_verdict(
    run: Run, engine: FakeEngine, verdicts: tuple[Verdict, ...], status: int
) -> None:
    """Known faults are expected; a defect of Crucible outranks a difference."""
    engine.verdicts = {cell.id: verdict for cell, verdict in zip(CELLS, verdicts, strict=False)}
    assert run("matrix")[0] == status


def test_the_report_goes_to_standard_output_and_nothing_else(run: Run) -> None:
    """When standard error is no terminal there is no progress bar."""
    status, out, err = run("matrix")
    assert (status, err) == (0, "")
    assert out.splitlines()[1] == "deployment the embedded default: lvm-1, rbd-1"
    assert out.splitlines()[-1].startswith(f"{len(CELLS)} cells: {len(CELLS)} pass, 0 known, 0 fail, 0 error")


def test_a_difference_comes_with_the_command_that_repeats_it(
    run: Run, engine: FakeEngine, tmp_path: Path
) -> None:
    """Seed and configuration are part of it where they are not the defaults, quoted for the shell."""
    config = tmp_path / "my cinder.conf"
    config.touch()
    engine.verdicts = {CELLS[3].id: "fail"}
    out = run("matrix", "--config", str(config), "--seed", "9")[1]
    assert f"  crucible reproduce {CELLS[3].id} --seed 9 --config '{config}'  # expected" in out
    assert f"  crucible reproduce {CELLS[3].id}  # expected" in run("matrix")[1]


def test_selection_and_shards_narrow_the_matrix(run: Run) -> None:
    """--list shows the ids and runs nothing; shards of a selection add up to it."""
    status, out, _ = run("matrix", "--select", "operation=retype and status=in-use", "--list")
    wanted = [cell.id for cell in CELLS if (cell.operation, cell.status) == ("retype", "in-use")]
    assert (status, out.splitlines()) == (0, wanted)
    parts = [
        run("matrix", "--select", "operation=retype and status=in-use", "--shard", f"{part}/3", "--list")[1]
        for part in (1, 2, 3)
    ]
    assert sorted("".join(parts).splitlines()) == sorted(wanted)
    sample = run("matrix", "--spread", "2", "--list")[1].splitlines()
    assert len(sample) == 2
    assert set(sample) < {cell.id for cell in CELLS}


def test_an_empty_selection_is_an_error_an_empty_shard_is_not(run: Run, tmp_path: Path) -> None:
    """A selection that matches nothing is a mistake; a shard may have nothing to do."""
    path = tmp_path / "result.json"
    status, out, err = run("matrix", "--select", "status=read-only", "--json", str(path))
    assert (status, out) == (2, "")
    assert "no cell matches" in err
    assert not path.exists()
    empty = ["matrix", "--select", "source=lvm-1 and destination=rbd-1 and status=in-use and operation=retype"]
    results = [run(*empty, "--shard", f"{part}/7", "--json", str(path)) for part in range(1, 8)]
    assert [status for status, _, _ in results] == [0] * 7
    assert sum("\n0 cells, " in out for _, out, _ in results) == 6


def test_the_result_file_holds_the_run(run: Run, engine: FakeEngine, tmp_path: Path) -> None:
    """Everything that was asked for, everything that came out, and when it started."""
    path = tmp_path / "result.json"
    options = ["--seed", "5", "-j", "2", "--timelines", "all", "--shard", "1/1", "--select", "source~lvm"]
    assert run("matrix", *options, "--json", str(path))[0] == 0
    result = load(path)
    assert (result.seed, result.shard, result.selection) == (5, "1/1", "source~lvm")
    assert (result.engine, result.storage, result.crucible) == ("sim", "memory", harness.__version__)
    assert result.backends == {"lvm-1": "lvm thick", "rbd-1": "rbd"}
    assert [cell.id for cell in result.cells] == [cell.id for cell in CELLS if "lvm" in cell.source]
    assert result.started.endswith("+00:00")
    assert (engine.seen["jobs"], engine.seen["timelines"]) == (2, "all")
    assert list(tmp_path.iterdir()) == [path]


def test_two_runs_with_one_seed_differ_in_time_only(run: Run, tmp_path: Path) -> None:
    """Nothing of the machine or the moment is in the result but `started` and `duration_s`."""
    results = []
    for name in ("one.json", "two.json"):
        run("matrix", "--json", str(tmp_path / name))
        results.append(json.loads((tmp_path / name).read_bytes()) | {"started": "", "duration_s": 0})
    assert results[0] == results[1]


# ----------------------------------------------------------------------------------------------- reproduce


def test_a_name_runs_its_cell_and_tells_its_story(run: Run, engine: FakeEngine, tmp_path: Path) -> None:
    """Title, story, timeline, verdict; the file has the one cell."""
    path = tmp_path / "result.json"
    status, out, err = run("reproduce", "lvm-to-rbd-in-use", "--seed", "4", "--json", str(path))
    assert (status, err) == (0, "")
    positions = [
        out.index(part) for part in ("The lvm-to", "Once [it] was.", "os-migrate_volume", "verdict: pass")
    ]
    assert positions == sorted(positions)
    assert engine.seen["seed"] == 4
    assert [cell.id for cell in load(path).cells] == ["migrate/lvm-1/rbd-1/in-use"]


def test_an_id_runs_its_cell(run: Run, engine: FakeEngine) -> None:
    """As the matrix prints it; the exit status is the cell's."""
    assert run("reproduce", CELLS[2].id)[0] == 0
    assert engine.seen["cell"] == CELLS[2]
    engine.verdicts = {CELLS[2].id: "fail"}
    assert run("reproduce", CELLS[2].id)[0] == 1


@pytest.mark.parametrize(("release", "profile"), [("20", "20"), ("27", "23"), ("33", "32")])
def test_nova_takes_the_release_asked_for(run: Run, engine: FakeEngine, release: str, profile: str) -> None:
    """--nova replaces the cell's release by the profile that behaves like the one named."""
    assert run("reproduce", "lvm-to-rbd-in-use", "--nova", release)[0] == 0
    assert engine.seen["cell"].nova == profile


# ---------------------------------------------------------------------------------------------------- list


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["list", "axes"], "operation: what the operator asks for"),
        (["list", "cells"], "retype/rbd-1/lvm-1/in-use"),
        (["list", "reproductions"], "lvm-to-rbd-in-use  The lvm-to-rbd-in-use case"),
        (["reproduce", "--list"], "lvm-to-rbd-in-use  The lvm-to-rbd-in-use case"),
        (["list", "faults"], "LP-1  First\nLP-2  Second"),
        (["list", "actions"], "migrate                    admin   3.0    no               available, in-use"),
        (["list", "backends"], "rbd-1  rbd        node@rbd-1#pool  node/rbd-1  nova"),
    ],
)
def test_what_there_is_to_choose_from(run: Run, arguments: list[str], expected: str) -> None:
    """Plain columns that fit into 100 characters."""
    status, out, err = run(*arguments)
    lines = [line.rstrip() for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert expected in "\n".join(lines)
    assert max(map(len, lines)) <= 100


def test_the_commands_can_be_driven_by_clicks_own_runner(engine: FakeEngine) -> None:
    """The group is an ordinary click command; its object is the session."""
    result = CliRunner().invoke(crucible, ["list", "cells"], obj=Session(engine))
    assert result.output.splitlines() == [cell.id for cell in CELLS]


# ------------------------------------------------------------------------------------------------- storage


@pytest.mark.parametrize(
    ("command", "keep"), [(("matrix",), "unexpected"), (("reproduce", CELLS[0].id), "all")]
)
def test_cells_keep_their_bytes_where_the_options_say(
    run: Run, engine: FakeEngine, tmp_path: Path, command: Sequence[str], keep: Literal["unexpected", "all"]
) -> None:
    """In memory, in pyfakefs, or below a directory, which is marked as ours."""
    assert run(*command)[0] == 0
    assert engine.seen["storage"] == CellStorage()
    assert run(*command, "--storage", "file")[0] == 0
    assert engine.seen["storage"] == CellStorage(kind="file")
    status, _, err = run(*command, "--storage", "file", "--storage-dir", str(tmp_path / "new"))
    assert (status, err) == (0, "")
    assert engine.seen["storage"] == CellStorage(kind="file", directory=tmp_path / "new", keep=keep)
    assert (tmp_path / "new" / "storage.json").exists()


def test_a_storage_directory_that_is_not_ours_is_refused(run: Run, tmp_path: Path) -> None:
    """One line, exit status 2, nothing touched, no result file."""
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "letter.txt").write_text("Dear ...")
    status, out, err = run(
        "matrix", "--storage", "file", "--storage-dir", str(tmp_path / "letters"),
        "--json", str(tmp_path / "result.json"),
    )  # fmt: skip
    assert (status, out) == (2, "")
    assert_one_line(err)
    assert "is not empty" in err
    assert [str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*")] == [
        "letters",
        "letters/letter.txt",
    ]


def test_a_storage_directory_needs_file_storage(run: Run, tmp_path: Path) -> None:
    """Memory storage has no directory."""
    status, _, err = run("matrix", "--storage-dir", str(tmp_path))
    assert status == 2
    assert_one_line(err)
    assert "add --storage file" in err


# ------------------------------------------------------------------------------------------------- options


def test_what_repeats_a_run_leaves_out_defaults() -> None:
    """Each option with a blank in front."""
    assert to_repeat(0, [], "memory", "sim") == ""
    assert to_repeat(3, [Path("a.conf"), Path("b c.conf")], "file", "cinder") == (
        " --seed 3 --engine cinder --storage file --config a.conf --config 'b c.conf'"
    )


def test_kinds_of_back_ends_have_a_word_or_two() -> None:
    """The kinds that the grid groups by: LVM comes thick and thin, NFS with raw and with qcow2 files."""
    names = ("lvm-a", "lvm-thin", "rbd-a", "nfs-a", "nfs-qcow2")
    kinds = [backend_kind(Deployment.default().backend(name)) for name in names]
    assert kinds == ["lvm thick", "lvm thin", "rbd", "nfs raw", "nfs qcow2"]
