"""What the user is told, and that it is true."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec
import pytest

from harness.matrix.expectations import RULES
from harness.matrix.families import facts_of
from harness.matrix.rules_situation import Situation
from harness.matrix.scenario import Scenario, free_space
from harness.model import GIB
from harness.rehearsal.advice import ADVICE
from harness.rehearsal.answer import answer
from harness.rehearsal.question import Question, Questioner
from harness.rehearsal.space import needs
from harness.rehearsal.words import VolumeWords
from tests.harness.clustered import ALONE, deployment
from tests.harness.rehearsal.conftest import Ask


def test_every_rule_that_does_not_end_well_has_advice() -> None:
    """And none that there is not."""
    assert set(ADVICE) == {rule.name for rule in RULES if rule.outcome != "succeeded"}


def test_a_migration_that_ends_well(ask: Ask) -> None:
    """Statuses in order, room on both sides, and a warning, because it is not locked."""
    told = ask("3,-,available", to="rbd-a", sources=["lvm-a"])[0]
    assert (told.well, told.agrees, told.expected.rule) == (True, True, "copied")
    statuses = [(step.status, step.migration_status) for step in told.way]
    assert list(dict.fromkeys(statuses)) == [
        ("available", "starting"), ("available", "migrating"), ("available", "completing"),
        ("available", "success"),
    ]  # fmt: skip
    assert list(dict.fromkeys(step.temporary for step in told.way if step.temporary)) == [
        "creating/target:VOLUME", "available/target:VOLUME", "deleting/deleting",
    ]  # fmt: skip
    assert [(need.backend, need.promised_gb) for need in told.space] == [
        ("node1@rbd-a#rbd-a", 3), ("node1@lvm-a#lvm-a", 3),
    ]  # fmt: skip
    assert told.who_may_attach.startswith("ANYBODY")
    assert [each.how for each in told.instead] == ["add --lock-volume"]
    assert told.command == "cinder migrate VOLUME node1@rbd-a#rbd-a"


def test_a_locked_one_needs_no_warning(ask: Ask) -> None:
    """Nobody can attach it."""
    told = ask("3,-,available", to="rbd-a", sources=["lvm-a"], lock=True)[0]
    assert told.who_may_attach.startswith("Nobody")
    assert told.instead == []
    assert {step.status for step in told.way} == {"maintenance", "available"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the client imports if it is there
def test_the_client_takes_the_command(ask: Ask) -> None:
    """With flags, too; a word that comes after one of them would be its value."""
    from cinderclient.api_versions import APIVersion
    from cinderclient.shell import OpenStackCinderShell

    told = ask("3,-,available", to="rbd-a", sources=["lvm-a"], lock=True, force=True)[0]
    _, *words = shlex.split(told.command)
    parser = OpenStackCinderShell().get_subcommand_parser(APIVersion("3.71"), False, words)
    typed = parser.parse_args(words)
    assert (typed.volume, typed.host) == ("VOLUME", "node1@rbd-a#rbd-a")
    assert (typed.lock_volume, typed.force_host_copy) == (True, True)


@pytest.mark.parametrize(
    ("volume", "source", "destination", "nova", "ways"),
    [
        (
            "3,-,available", "lvm-a", "lvm-shared", "32",
            ["add --lock-volume", "add --force-host-copy", "attach the volume to a server first"],
        ),
        (
            "3,-,in-use", "lvm-a", "rbd-a", "20",
            ["detach the volume first", "upgrade Nova to Wallaby (23) or later"],
        ),
        (
            "3,-,in-use,stopped", "lvm-a", "rbd-a", "32",
            ["detach the volume first", "start the server first"],
        ),
        (
            "3,-,in-use,2", "lvm-a", "rbd-a", "32",
            ["detach the volume first", "detach all servers but one"],
        ),
    ],
)  # fmt: skip
def test_what_fails_has_another_way(
    ask: Ask, volume: str, source: str, destination: str, nova: str, ways: list[str]
) -> None:
    """Those that are offered end well."""
    told = ask(volume, to=destination, sources=[source], nova=nova)[0]
    assert not told.well
    assert [each.how for each in told.instead] == ways
    assert {each.outcome for each in told.instead} == {"succeeded"}
    assert told.advice


def test_a_loss_is_called_one(ask: Ask) -> None:
    """Even where Cinder says success."""
    told = ask("3,-,available", to="lvm-a", sources=["nfs-qcow2"])[0]
    assert told.expected.outcome == "data-loss"
    assert told.writes.startswith("NOT SAFE")
    assert told.way[-1].migration_status == "success"
    assert [each.how for each in told.instead] == ["attach the volume to a server first"]


def test_guests_may_go_on_writing(ask: Ask) -> None:
    """QEMU mirrors."""
    told = ask("3,-,in-use", to="rbd-a", sources=["lvm-a"])[0]
    assert told.well
    assert told.writes.startswith("Safe. QEMU mirrors")


@pytest.mark.parametrize("lock", [False, True])
def test_who_may_attach_is_who_is_let_in(ask: Ask, questioner: Questioner, *, lock: bool) -> None:
    """An intruder in the simulation gets in exactly where the answer says anybody."""
    question = Question(
        volume=VolumeWords(1, None, "available"), to="rbd-a", sources=("lvm-a",), lock=lock, fill="sparse"
    )
    cell = msgspec.structs.replace(questioner.asked(question)[0].cell, meanwhile="attach")
    scenario = Scenario(questioner.deployment, cell)
    scenario.run()
    told = ask("1,-,available", to="rbd-a", sources=["lvm-a"], lock=lock)[0]
    assert scenario.accepted_meanwhile is told.who_may_attach.startswith("ANYBODY")
    scenario.close()


@pytest.mark.parametrize(
    ("source", "destination"),
    [("lvm-a", "lvm-b"), ("lvm-a", "lvm-far"), ("lvm-thin", "lvm-far"), ("rbd-a", "lvm-a"), ("nfs-a", "lvm-a")],
)
def test_the_room_that_is_named_is_the_room_that_it_takes(
    source: str, destination: str, questioner: Questioner
) -> None:
    """A thick destination has just so much less free space afterwards."""
    size_gb = 3
    question = Question(
        volume=VolumeWords(size_gb, None, "available"), to=destination, sources=(source,), fill="sparse"
    )
    cell = questioner.asked(question)[0].cell
    scenario = Scenario(questioner.deployment, cell, size_gb=size_gb)
    scenario.run()
    address = questioner.deployment.backend(destination).address
    taken = scenario.free_at_first[address] - free_space(scenario.cloud)[address]
    scenario.close()
    situation = Situation(
        cell, *(facts_of(questioner.deployment.backend(name)) for name in (source, destination))
    )
    rule = next(each for each in RULES if each.applies(situation))
    need = needs(situation, rule, size_gb)[0]
    assert need.backend == address
    assert need.written_gb == pytest.approx(taken)


def test_the_header_of_luks_is_counted(ask: Ask) -> None:
    """On RBD it comes on top of the volume."""
    encrypted = "e volume_backend_name=rbd-a encryption=luks", "f volume_backend_name=rbd-b encryption=luks"
    told = ask("1,e,available", *encrypted, new_type="f", sources=["rbd-a"])[0]
    assert told.space[0].promised_gb == 1 + 2_068_480 / GIB
    assert "2,068,480 bytes" in told.space[0].why


def test_thick_from_thin_is_said(ask: Ask) -> None:
    """The whole size is taken, whatever the volume holds."""
    told = ask("1,-,available", to="lvm-far", sources=["lvm-thin"])[0]
    assert "although the source is thin" in told.space[0].why


def test_nothing_copied_needs_no_room(ask: Ask) -> None:
    """One pool behind two back-ends; and what is refused."""
    assert ask("1,-,available", to="rbd-shared", sources=["rbd-a"])[0].space == []
    assert ask("1,-,error", to="rbd-a", sources=["lvm-a"])[0].space == []


@pytest.mark.parametrize(
    ("release", "said"),
    [("29", []), ("24", ["A retype is never offered"]), ("22.0.0", ["The LVM driver does not move"])],
)
def test_another_release_may_go_another_way(ask: Ask, release: str, said: list[str]) -> None:
    """What differs is said; what is simulated is Cinder 29."""
    told = ask("1,lvm-a,available", "b volume_backend_name=lvm-b", new_type="b", release=release)[0]
    assert all(any(words in each for each in told.other_release) for words in said)
    assert bool(told.other_release) is bool(said)


def test_the_same_question_has_the_same_answer(ask: Ask) -> None:
    """Every time."""
    assert ask("2,-,in-use", to="rbd-a", sources=["lvm-a"]) == ask("2,-,in-use", to="rbd-a", sources=["lvm-a"])


def test_what_else_is_in_the_way_is_told_and_gone_around(ask: Ask) -> None:
    """To detach helps against a stopped server, not against a snapshot."""
    told = ask("3,-,in-use,stopped", to="rbd-a", sources=["lvm-a"], given=("service-frozen",))[0]
    assert told.expected.rule == "service-frozen"
    assert [(each.name, each.rule) for each in told.then] == [("server-stopped", "server-not-running")]
    assert told.then[0].advice.startswith("Start the server")
    assert told.instead == []


def test_the_default_type_is_there(tmp_path: Path) -> None:
    """An operator who names one in cinder.conf has made it."""
    text = ALONE.replace("[DEFAULT]", "[DEFAULT]\ndefault_volume_type = STANDARD").replace(
        "enabled_backends = lvm", "enabled_backends = lvm, more"
    )
    more = text.partition("[lvm]")[2].replace("= lvm", "= more")
    plans = deployment(tmp_path, f"{text}volume_group = a\n[more]{more}volume_group = b\n")
    question = Question(volume=VolumeWords(1, None, "available"), to="more", sources=("lvm",))
    told = answer(plans, question, Questioner(plans).asked(question)[0], "29")
    assert (told.well, told.agrees) == (True, True)
