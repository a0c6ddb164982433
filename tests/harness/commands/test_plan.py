"""``crucible plan``: what it prints, and with what it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """(exit status, standard output, standard error)."""
    status = main(["plan", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_what_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that the user has to know, and exit status 0."""
    status, out, _ = run(capsys, "--volume", "2,-,in-use", "--from", "lvm-a", "--to", "rbd-a")
    assert status == 0
    for words in (
        "node1@lvm-a#lvm-a > node1@rbd-a#rbd-a", "$ cinder migrate VOLUME node1@rbd-a#rbd-a", "succeeds",
        "rule swapped, nova.virt.libvirt.driver:LibvirtDriver.swap_volume", "Safe. QEMU mirrors",
        "2 GiB on node1@rbd-a#rbd-a", "in-use/migrating", "in-use/success", "deleting/deleting",
    ):  # fmt: skip
        assert words in out


def test_what_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    """Another way, and exit status 1."""
    status, out, _ = run(
        capsys, "--volume", "2,-,in-use", "--from", "lvm-a", "--to", "rbd-a", "--nova", "20", "--cinder", "24"
    )
    assert status == 1
    assert "This Nova swaps host devices in only" in out
    assert "upgrade Nova to Wallaby (23) or later" in out


def test_several_back_ends_are_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    """If the user does not say where the volume is."""
    status, out, _ = run(
        capsys, "--volume", "1,-,available", "--from", "lvm-a", "--from", "nfs-qcow2", "--to", "lvm-far"
    )
    assert status == 1
    assert out.startswith("It depends on where the volume is:")
    assert "LOSES OR SHOWS DATA" in out


def test_json_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """One document on standard output."""
    status, out, _ = run(capsys, "--volume", "1,-,available", "--from", "lvm-a", "--to", "lvm-b", "--json")
    document = json.loads(out)
    assert (status, document["schema"], document["cinder"]) == (0, 1, "29")
    answer = document["answers"][0]
    assert (answer["well"], answer["expected"]["rule"]) == (True, "lvm-moves")
    assert [step["migration_status"] for step in answer["way"]] == ["starting", "migrating", "success"]


def test_it_is_the_users_own_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With back-ends that nobody else has."""
    conf = tmp_path / "cinder.conf"
    conf.write_text(
        "[DEFAULT]\nhost = cinder1\nenabled_backends = fast, slow\n"
        "[fast]\nvolume_driver = cinder.volume.drivers.rbd.RBDDriver\nvolume_backend_name = FAST\n"
        "[slow]\nvolume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver\nlvm_type = default\n"
        "volume_backend_name = SLOW\n"
    )
    status, out, _ = run(capsys, "--config", str(conf), "--volume", "1,SLOW,available", "--type", "FAST")
    assert status == 0
    assert "cinder1@slow#SLOW > cinder1@fast#FAST" in out
    assert "$ cinder retype --migration-policy on-demand VOLUME FAST" in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--volume", "1,-,available"], "either --to HOST (a migration) or --type TYPE"),
        (["--volume", "1,-,available", "--to", "lvm-b", "--type", "x"], "and not both"),
        (["--volume", "1,-,available", "--type", "lvm-b", "--lock-volume"], "are for --to"),
        (["--volume", "1,-,availble", "--to", "lvm-b"], "did you mean 'available'"),
        (["--volume", "1,-,available", "--to", "nowhere"], "no back-end of this deployment"),
        (["--volume", "1,-,available", "--to", "lvm-b", "--nova", "3"], "--nova 3 is not a known release"),
        (["--volume", "1,-,available", "--to", "lvm-b", "--cinder", "x"], "--cinder x is not a known release"),
        (["--to", "lvm-b"], "--volume"),
        (["--volume", "1,-,available", "--to", "lvm-b", "--config", "/nowhere"], "/nowhere: cannot be read"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    """Exit status 2, nothing on standard output."""
    status, out, err = run(capsys, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert complaint in err
