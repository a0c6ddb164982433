"""``crucible storage`` shows what a storage directory holds, and touches nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fake_backends.block_store import CHUNK
from fake_backends.files.storage import StorageDirectory
from fake_backends.world import World
from harness.cli import main
from harness.commands.storage import rows
from harness.results import load

MIB, GIB = 1 << 20, 1 << 30
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Calls the command line on a wide terminal: (exit status, standard output, standard error)."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def fill(world: World) -> None:
    """One of everything."""
    group = world.node("node1").add_volume_group("vg", [GIB + MIB])
    group.create("thick", 100 * MIB)
    group.snapshot("thick", "snap", 20 * MIB)
    group.create_thin_pool("pool", 400 * MIB)
    group.create_thin("thin", 10 * GIB, "pool")
    device = group.open("thin")
    device.write(0, b"data")
    group.close(device)
    group.snapshot("thin", "thin-snap", None)
    pool = world.cluster("ceph").create_pool("volumes", 50 * GIB)
    image = pool.create("image", GIB)
    with pool.open("image") as handle:
        handle.write(0, b"data")
    image.create_snapshot("s")
    image.protect_snapshot("s")
    with pool.open("image") as handle:
        handle.write(0, b"new")
    pool.clone("image", "s", "clone")
    pool.create("old", GIB)
    pool.trash_move("old", 60)


def test_everything_is_shown_with_its_size_and_what_it_takes() -> None:
    """Containers before what is in them, in the words of lvm2 and rbd."""
    world = World()
    fill(world)
    assert list(rows(world)) == [
        ("host", "node1", None, None, "192.0.2.1"),
        ("volume group", "node1/vg", GIB, 528 * MIB, "1 physical volume"),
        ("thin pool", "node1/vg/pool", 400 * MIB, 64 << 10, "2 volumes"),
        ("volume", "node1/vg/thick", 100 * MIB, 100 * MIB, ""),
        ("snapshot", "node1/vg/snap", 100 * MIB, 20 * MIB, "of thick"),
        ("thin volume", "node1/vg/thin", 10 * GIB, 64 << 10, ""),
        ("thin snapshot", "node1/vg/thin-snap", 10 * GIB, 64 << 10, "of thin, inactive"),
        ("cluster", "ceph", 100 << 40, 2 * CHUNK, ""),
        ("pool", "ceph/volumes", 50 * GIB, 2 * CHUNK, "quota"),
        ("image", "ceph/volumes/clone", GIB, 0, "clone of volumes/image@s"),
        ("image", "ceph/volumes/image", GIB, CHUNK, ""),
        ("snapshot", "ceph/volumes/image@s", GIB, CHUNK, "protected, 1 clone"),
        ("image", "ceph/volumes/old", GIB, 0, "in the trash, for 60 s"),
    ]


def test_a_directory_is_shown_as_a_table(run: Run, tmp_path: Path) -> None:
    """Sizes as people say them, names without control characters, nothing changed by looking."""
    path = tmp_path / "storage"
    with StorageDirectory(path) as storage:
        world = World(home=storage.root)
        fill(world)
        world.cluster("ceph").pool("volumes").create("evil\x1b[2J", 1536 * MIB)
        world.close()
    shown = [run("storage", str(path)) for _ in range(2)]
    assert shown[0] == shown[1]
    status, out, err = shown[0]
    assert (status, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "what name size used"
    assert "volume node1/vg/thick 100 MiB 100 MiB" in lines
    assert "snapshot ceph/volumes/image@s 1 GiB 4 MiB protected, 1 clone" in lines
    assert "\x1b" not in out
    assert any(line.startswith("image ceph/volumes/evil") and "1.5 GiB" in line for line in lines)


def test_an_empty_storage_directory_says_so(run: Run, tmp_path: Path) -> None:
    """No table without rows."""
    StorageDirectory(tmp_path / "storage").close()
    assert run("storage", str(tmp_path / "storage")) == (0, "nothing is stored here\n", "")


@pytest.mark.parametrize("name", ["absent", "other"])
def test_what_is_no_storage_directory_is_refused(run: Run, tmp_path: Path, name: str) -> None:
    """One line, exit status 2, and it does not come into being."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    status, out, err = run("storage", str(tmp_path / name))
    assert (status, out) == (2, "")
    assert err.startswith(f"crucible: {tmp_path / name}: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "absent").exists()


def test_a_reproduction_can_be_looked_into(run: Run, tmp_path: Path) -> None:
    """The cell's volumes are kept, and the result says what they were kept in."""
    path, result = tmp_path / "storage", tmp_path / "result.json"
    cell = "migrate/lvm-a/rbd-a/available"
    status, out, _ = run(
        "reproduce", cell, "--storage", "file", "--storage-dir", str(path), "--json", str(result)
    )
    assert status == 0
    assert f"crucible storage {path}" in out
    assert load(result).storage == "file"
    status, out, _ = run("storage", str(path))
    assert status == 0
    assert out.startswith(f"{cell}: {path / 'cells'}")
    assert "node1/vg-a" in out


def test_of_a_matrix_only_what_is_not_as_expected_is_kept(run: Run, tmp_path: Path) -> None:
    """And in two processes as in one."""
    path = tmp_path / "storage"
    status, _, _ = run(
        "matrix", "--select", "source=lvm-a and destination=rbd-a and status=available and operation=migrate",
        "--shard", "1/4", "-j", "2", "--storage", "file", "--storage-dir", str(path),
    )  # fmt: skip
    assert status == 0
    assert list((path / "cells").iterdir()) == []


def test_a_command_line_runs_on_what_is_kept(run: Run, tmp_path: Path) -> None:
    """lvm2's, with its output and exit status; what it changes is kept."""
    path = str(tmp_path / "storage")
    with StorageDirectory(tmp_path / "storage") as storage:
        world = World(home=storage.root)
        fill(world)
        world.close()
    assert run("storage", path, "--", "lvremove", "-f", "vg/snap")[0] == 0
    status, out, err = run("storage", path, "--", "lvs", "--noheadings", "-o", "lv_name", "vg")
    assert (status, out.split(), err) == (0, ["pool", "thick", "thin", "thin-snap"], "")
    status, out, err = run("storage", path, "--", "lvs", "vg/absent")
    assert (status, out) == (5, "")
    assert "absent" in err


def test_the_host_of_a_command_must_be_clear(run: Run, tmp_path: Path) -> None:
    """With several hosts one has to be named, and it must exist; without a command none is named."""
    path = str(tmp_path / "storage")
    with StorageDirectory(tmp_path / "storage") as storage:
        world = World(home=storage.root)
        for name in ("node1", "node2"):
            world.node(name).add_volume_group(f"vg-{name}", [20 * MIB])
        world.close()
    for arguments, message in (
        (["--", "vgs"], "several hosts"),
        (["--host", "node3", "--", "vgs"], "hosts: node1, node2"),
        (["--host", "node1"], "add a command"),
    ):
        status, out, err = run("storage", path, *arguments)
        assert (status, out) == (2, "")
        assert message in err
    status, out, _ = run("storage", path, "--host", "node2", "--", "vgs", "--noheadings", "-o", "name")
    assert (status, out.strip()) == (0, "vg-node2")
