"""``crucible certify`` and ``crucible verify``: what is shown, written and returned."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import certificates
from harness.cinder_engine.release import installed
from harness.cli import main
from harness.documents import encode

ONE_LAW = ["-k", "volumes/deleting_twice", "--profile", "ci"]


def test_a_driver_that_keeps_the_laws(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Status 0; the report and the certificate say so, and verify finds it the same."""
    path = tmp_path / "certificate.json"
    assert main(["certify", "rbd", *ONE_LAW, "--seed", "3", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "level core                  reached     1 passed" in out
    assert "verdict: keeps" in out
    certificate = certificates.load(path)
    assert (certificate.subject, certificate.seed, certificate.verdict) == ("rbd", 3, "keeps")
    assert [law.status for law in certificate.laws] == ["passed"]
    assert main(["verify", str(path)]) == 0
    assert "1 law came out the same" in capsys.readouterr().out


def test_many_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line says how much was checked; both ends count."""
    assert main(["certify", "rbd", *ONE_LAW, "--seeds", "3-5"]) == 0
    out = capsys.readouterr().out
    assert "3 seeds: laws 3 passed, 0 failed, 0 error, 0 known, 0 skipped; " in out
    assert "verdict: keeps" in out


def test_a_law_that_breaks_with_some_seed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each seed that breaks it is shown, with the line that repeats it; status 1."""
    driver = "tests.conformance.mutants.volumes:DecimalSize"
    law = ["-k", "a_volume_has_exactly", "--profile", "ci"]
    assert main(["certify", driver, *law, "--seeds", "7-8"]) == 1
    out = capsys.readouterr().out
    repeats = [f"--seed {seed} -k volumes/a_volume_has_exactly_its_size" for seed in (7, 8)]
    assert [repeat in out for repeat in repeats] == [True, True]
    assert "2 seeds: laws 0 passed, 2 failed" in out


def test_what_is_known_may_pass_by_chance(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An entry of the list is stale if its law passes with every seed."""
    known = tmp_path / "known.toml"
    known.write_text('[[xfail]]\nlaw = "volumes/deleting_twice_succeeds"\nreason = "none"\n')
    assert main(["certify", "rbd", *ONE_LAW, "--xfail", str(known), "--seeds", "0-1"]) == 1
    assert "it passes now; remove the entry" in capsys.readouterr().out
    found = certificates.Search()
    for stale in (["a", "b"], ["b"], []):
        found.add(
            certificates.Certificate(
                crucible="", python="", subject="", driver="", version="", digest="", profile="ci", seed=0,
                started="", duration_s=0.0, verdict="keeps", laws=[], stale=stale,
            )
        )  # fmt: skip
    assert (found.stale, found.verdict) == ([], "unchecked")


def test_nothing_is_left_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No database of examples, no cache."""
    monkeypatch.chdir(tmp_path)
    assert main(["certify", "rbd", "-k", "display_names", "--profile", "ci"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_driver_that_breaks_a_law(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1; sentence, values, sequence and the line that repeats it."""
    driver = "tests.conformance.mutants.volumes:DecimalSize"
    assert main(["certify", driver, "-k", "a_volume_has_exactly", "--profile", "dev", "--seed", "5"]) == 1
    out = capsys.readouterr().out
    assert "Broken: A volume of N GiB has N x 2^30 bytes." in out
    assert "values    size=1" in out
    assert "found     the size of the new volume in bytes is 999997440, but should be 1073741824" in out
    assert "create_volume(v1 of 1 GiB)" in out
    assert f"crucible certify {driver} --profile dev --seed 5 -k volumes/a_volume_has_exactly_its_size" in out


def test_known_failures_of_ones_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Excused while they fail; an entry for what passes fails the gate."""
    known = tmp_path / "known.toml"
    known.write_text('[[xfail]]\nlaw = "volumes/a_volume_has_exactly_its_size"\nreason = "decimal units"\n')
    arguments = ["-k", "a_volume_has_exactly", "--profile", "ci", "--xfail", str(known)]
    assert main(["certify", "tests.conformance.mutants.volumes:DecimalSize", *arguments]) == 0
    assert "volumes/a_volume_has_exactly_its_size  # decimal units" in capsys.readouterr().out
    assert main(["certify", "rbd", *arguments]) == 1
    assert "it passes now; remove the entry" in capsys.readouterr().out


def test_nothing_checked_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    """All laws skipped: status 1, with the reason."""
    assert main(["certify", "nfs", "--level", "revert", "--profile", "ci"]) == 1
    out = capsys.readouterr().out
    assert "verdict: unchecked" in out
    assert "revert_to_snapshot is not implemented" in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["certify", "lvmm"], "did you mean lvm?"),
        (["certify", "rbd", "--level", "gold"], "there is no level 'gold'; there are core,"),
        (["certify", "rbd", "-k", "nonsense"], "no law has 'nonsense'"),
        (["certify", "rbd", "--xfail", "none.toml"], "none.toml: cannot be read"),
        (["certify", "rbd", "--seeds", "9-3"], "--seeds 9-3: should be the first and the last of at most"),
        (["certify", "rbd", "--seeds", "7"], "--seeds 7: should be the first and the last of at most"),
        (["certify", "rbd", "--seeds", "0-999999999999"], "at most 1,000,000 seeds, such as 0-99"),
        (["certify", "rbd", "--seeds", "0-1", "--json", "c.json"], "do not go with --seeds"),
        (["certify", "nowhere.driver:X"], "there is no module nowhere"),
        (["verify", "none.json"], "none.json: cannot be read"),
    ],
)
def test_bad_input_gets_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    """And status 2."""
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


@pytest.mark.skipif(installed() is not None, reason="Cinder is installed: it would run")
def test_a_driver_of_cinder_needs_cinder(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not taken for the reference driver of that name; one line says what to install, and status 2."""
    driver = "cinder.volume.drivers.lvm.LVMVolumeDriver"
    assert main(["certify", driver]) == 2
    assert capsys.readouterr() == (
        "",
        f"crucible: {driver} needs Cinder, which is not installed: pip install 'cinder-crucible[cinder]'\n",
    )


def test_a_certificate_that_lies_is_found_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Another status of a law, and another source of the driver."""
    path = tmp_path / "certificate.json"
    main(["certify", "rbd", *ONE_LAW, "--json", str(path)])
    certificate = certificates.load(path)
    forged = msgspec.structs.replace(
        certificate, digest="0", laws=[msgspec.structs.replace(certificate.laws[0], status="failed")]
    )
    path.write_bytes(encode(forged))
    capsys.readouterr()
    assert main(["verify", str(path)]) == 1
    out = capsys.readouterr().out
    assert "the driver's source is another one" in out
    assert "volumes/deleting_twice_succeeds was failed, and is passed" in out


def test_laws_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """By level, with their sentences."""
    assert main(["list", "laws"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("  revert/a_reverted_volume_is_as_the_snapshot")
    assert (
        lines[at + 1].strip()
        == "After a revert the volume has the data and the size that it had at the snapshot."
    )
    assert [line for line in lines[:at] if not line.startswith(" ")][-1].startswith("revert (")


def test_text_that_is_no_unicode_is_written_with_escapes(tmp_path: Path) -> None:
    """A driver may name a file of undecodable bytes: its certificate is written, and read again."""
    path = tmp_path / "certificate.json"
    assert main(["certify", "rbd", *ONE_LAW, "--json", str(path)]) == 0
    (law,) = certificates.load(path).laws
    odd = msgspec.structs.replace(law, reason="file \udcff")
    path.write_bytes(encode(msgspec.structs.replace(certificates.load(path), laws=[odd])))
    assert certificates.load(path).laws[0].reason == "file \\udcff"
