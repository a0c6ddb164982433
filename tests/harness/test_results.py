"""Result files: round trip, refusals that name the file, and no half-written ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness import results
from harness.documents import encode
from harness.errors import InputError
from harness.results import (
    SCHEMA,
    CellResult,
    Expectation,
    Judgement,
    MatrixResult,
    Observation,
    TimelineEvent,
    check_writable,
    load,
    write_atomically,
)


def sample(reason: str = "moved") -> MatrixResult:
    """A run with one cell that has something in every field."""
    cell = CellResult(
        id="migrate/a/b/available",
        axes={"operation": "migrate", "source": "a"},
        expected=Expectation(
            outcome="refused",
            reason="said no",
            rule="snapshots",
            source="api",
            code=400,
            violations={"data": "1"},
        ),
        observed=Observation(outcome="succeeded", reason=reason),
        verdict="fail",
        invariants=[Judgement(name="data", holds=None, details=["page 3"], fault="1")],
        timeline=[TimelineEvent(time_us=5, actor="c-vol", step="copy", source=("available", None))],
        difference="outcome",
    )
    return MatrixResult(
        crucible="1", python="3.11", engine="sim", storage="memory", seed=7, started="2026-01-01T00:00:00Z",
        duration_s=0.5, cells=[cell],
    )  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "result.json"


def test_a_result_survives_the_file(file: Path) -> None:
    """Written, read, equal; the text is for people too."""
    write_atomically(file, encode(sample()))
    assert load(file) == sample()
    text = file.read_text()
    assert text.startswith('{\n  "schema": 1,')
    assert text.endswith("}\n")


def test_text_that_is_no_unicode_is_escaped(file: Path) -> None:
    """A driver's message with undecodable bytes must not cost the whole run."""
    write_atomically(file, encode(sample(reason="file \udcff, Größe")))
    assert load(file) == sample(reason="file \\udcff, Größe")


def test_another_schema_is_named(file: Path) -> None:
    """The reader learns which version the file has, even if nothing else in it is known."""
    file.write_text('{"schema": 99, "new": []}')
    with pytest.raises(InputError, match=rf"result\.json: result schema 99, but .* reads schema {SCHEMA}"):
        load(file)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"not json",
        b"[]",
        b"null",
        b'{"schema": 1}',
        b'{"schema": 1, "crucible": "\xff"}',
        b'{"schema": ' + b"[" * 100_000,
        b"[" * 100_000,
    ],
)
def test_garbage_is_refused_in_one_line(file: Path, data: bytes) -> None:
    """Whatever the file holds, the user gets an InputError that names it."""
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"result\.json") as caught:
        load(file)
    assert "\n" not in str(caught.value)


def test_every_truncation_is_refused(file: Path) -> None:
    """A copy that broke off is never taken for a result."""
    data = encode(sample()).rstrip()
    for length in range(0, len(data), 17):
        file.write_bytes(data[:length])
        with pytest.raises(InputError):
            load(file)


def test_an_unknown_outcome_is_refused(file: Path) -> None:
    """The words are part of the schema; the message says where."""
    document = json.loads(encode(sample()))
    document["cells"][0]["observed"]["outcome"] = "fine"
    file.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"fine.*cells"):
        load(file)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing file, and a directory."""
    with pytest.raises(InputError, match="absent: cannot be read: No such file"):
        load(tmp_path / "absent")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_what_cannot_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    """Before hours of work go into it."""
    check_writable(tmp_path / "new.json")
    with pytest.raises(InputError, match="is a directory"):
        check_writable(tmp_path)
    with pytest.raises(InputError, match="there is no directory"):
        check_writable(tmp_path / "absent" / "new.json")


def test_a_closed_directory_is_refused_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said of the directory, because the new file is made in it."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="cannot be written to"):
        check_writable(tmp_path / "new.json")


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    """A full disk or Ctrl-C at any step: the old result, and nothing beside it."""
    file.write_bytes(b"old")

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(results.os, step, fail)  # type: ignore[attr-defined]  # the module's own `os`
    with pytest.raises(InputError if isinstance(error, OSError) else KeyboardInterrupt):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in file.parent.iterdir()] == ["result.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is replaced."""
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    """``-o /dev/null`` by root must not put a file in its place. A pipe of our own stands for the device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(pipe, b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
