"""From words to cells: where the volume may be, and where the request leads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import InputError
from harness.rehearsal import words
from harness.rehearsal.question import Question, Questioner, named
from tests.harness.clustered import ALONE, CLUSTERED, deployment

TO_B = "b volume_backend_name=lvm-b"


def cells(questioner: Questioner, volume: str, *define: str, **question: Any) -> list[str]:
    """The ids of the cells that a question becomes."""
    types = named([words.volume_type(text) for text in define])
    asked = Question(volume=words.volume(volume), types=types, **{"fill": "sparse", **question})
    return [each.cell.id for each in questioner.asked(asked)]


def test_a_migration(questioner: Questioner) -> None:
    """From one back-end to another, by any of their names."""
    for to in ("lvm-b", "node1@lvm-b", "node1@lvm-b#lvm-b"):
        assert cells(questioner, "1,-,available", to=to, sources=["lvm-a"]) == ["migrate/lvm-a/lvm-b/available"]


def test_where_it_is_already(questioner: Questioner) -> None:
    """By whatever name, that is the same host."""
    for to in ("lvm-a", "node1@lvm-a#lvm-a"):
        assert cells(questioner, "1,-,available", to=to, sources=["lvm-a"]) == [
            "migrate/lvm-a/lvm-a/available/precondition=same-host"
        ]


def test_a_cluster_is_one_place(tmp_path: Path) -> None:
    """The scheduler knows its pool once, and a type leads to the service that speaks for it."""
    questioner = Questioner(deployment(tmp_path, CLUSTERED, CLUSTERED, ALONE))
    assert cells(questioner, "1,lvm,available", new_type="ceph") == ["retype/lvm/ceph@node1/available"]
    assert cells(questioner, "1,ceph,available", "b volume_backend_name=ceph v:t=1", new_type="b") == [
        "retype/ceph@node1/ceph@node1/available/type=specs",
        "retype/ceph@node2/ceph@node2/available/type=specs",
    ]
    with pytest.raises(InputError, match="no back-end can have this volume"):
        cells(questioner, "1,-,available", to="ceph@node2", sources=["ceph@node1"])


def test_flags_states_and_releases_are_axes(questioner: Questioner) -> None:
    """Each as in the matrix."""
    asked: dict[str, Any] = {"to": "rbd-a", "sources": ["lvm-a"]}
    stopped = cells(questioner, "1,-,in-use,stopped", lock=True, force=True, nova="20", fill="full", **asked)
    assert stopped == [
        "migrate/lvm-a/rbd-a/in-use/lock=yes/force=yes/fill=full/nova=20/precondition=server-stopped"
    ]
    for words_of, axes in {
        "in-use,2": "multi-attached",
        "in-use,read-only": "read-only",
        "uploading": "available/precondition=attaching",
    }.items():
        assert cells(questioner, f"1,-,{words_of}", **asked) == [f"migrate/lvm-a/rbd-a/{axes}"]


def test_without_a_source_every_back_end_that_can_have_the_volume_is_asked(questioner: Questioner) -> None:
    """The type says which they are; here it does not fit the destination."""
    assert len(cells(questioner, "1,-,available", to="lvm-b")) == len(questioner.deployment.backends)
    assert cells(questioner, "1,rbd-a,available", to="rbd-b") == [
        "migrate/rbd-a/rbd-b/available/precondition=specs-mismatch"
    ]


def test_a_retype_goes_where_the_scheduler_says(questioner: Questioner) -> None:
    """The current pool if it passes, else the best; nowhere, if none does."""
    asked: dict[str, Any] = {"sources": ["lvm-a"]}
    assert cells(questioner, "1,lvm-a,available", TO_B, new_type="b", **asked) == [
        "retype/lvm-a/lvm-b/available"
    ]
    assert cells(questioner, "1,lvm-a,available", "any v:t=x", new_type="any", **asked) == [
        "retype/lvm-a/lvm-a/available/type=specs"
    ]
    assert cells(questioner, "1,lvm-a,available", "no tier=x", new_type="no", **asked) == [
        "retype/lvm-a/lvm-a/available/type=specs/precondition=specs-mismatch"
    ]


@pytest.mark.parametrize(
    ("old", "new", "axes"),
    [
        ("", "encryption=luks", "encryption=none-luks"),
        ("encryption=luks", "encryption=luks", "encryption=luks"),
        ("v:t=1", "v:t=1", "type=shared"),
        ("v:t=1", "v:t=2", "type=specs"),
        ("", "qos=back-end", "type=qos"),
        ("", "qos=both", "type=front-end-qos"),
        ("qos=back-end", "", "type=no-qos"),
        ("qos=both", "", "type=no-front-end-qos"),
        ("qos=front-end", "qos=back-end", "type=qos"),
        ("", "multiattach='<is> True'", "type=multiattach"),
        ("", "provisioning:min_vol_size=9", "type=specs/precondition=min-size"),
        ("", "provisioning:max_vol_size=0", "type=specs/precondition=max-size"),
    ],
)
def test_how_two_types_relate(questioner: Questioner, old: str, new: str, axes: str) -> None:
    """What they have apart from the back-end's name."""
    types = f"a volume_backend_name=lvm-a {old}", f"{TO_B} {new}"
    assert cells(questioner, "1,a,available", *types, new_type="b", sources=["lvm-a"]) == [
        f"retype/lvm-a/lvm-b/available/{axes}"
    ]


@pytest.mark.parametrize(
    ("volume", "question", "complaint"),
    [
        ("1,-,available", {"to": "lvmb"}, "did you mean 'lvm-b'"),
        ("1,-,available", {"to": "lvm-b", "sources": ["nowhere"]}, "--from nowhere is no back-end"),
        ("1,gold,available", {"to": "lvm-b"}, "add --define 'gold"),
        ("1,-,available", {"new_type": "gold"}, "add --define 'gold"),
        ("1,-,available", {"to": "lvm-b", "given": ("server-stopped",)}, "is about a volume that is in-use"),
        ("1,-,in-use", {"to": "lvm-b", "given": ("error",)}, "is about a volume that is not attached"),
        ("1,-,in-use", {"to": "lvm-b", "given": ("other-zone",)}, "is about a retype"),
        ("1,-,in-use", {"new_type": "lvm-b", "given": ("no-host",)}, "is about a migration"),
        ("1,lvm-a,in-use", {"to": "lvm-b", "sources": ["rbd-a"]}, "no back-end can have this volume"),
    ],
)
def test_what_cannot_be_asked(
    questioner: Questioner, volume: str, question: dict[str, Any], complaint: str
) -> None:
    """One line, with what would be right."""
    with pytest.raises(InputError, match=complaint):
        cells(questioner, volume, **question)


def test_a_type_is_defined_once() -> None:
    """Which of two would be meant?"""
    with pytest.raises(InputError, match="defined twice"):
        named([words.volume_type("a"), words.volume_type("a x=y")])


def test_several_servers_have_no_encrypted_volume(questioner: Questioner) -> None:
    """Cinder does not make such volumes."""
    with pytest.raises(InputError, match="type gold is encrypted, and so cannot have several attachments"):
        cells(questioner, "1,gold,in-use,2", "gold encryption=luks", to="lvm-b")


def test_a_type_may_lead_to_another_zone(questioner: Questioner) -> None:
    """If it says so, and changes nothing else."""
    far = "far volume_backend_name=lvm-zone RESKEY:availability_zones=zone2"
    asked = {"new_type": "far", "sources": ["lvm-a"]}
    assert cells(questioner, "1,lvm-a,available", far, **asked) == ["retype/lvm-a/lvm-zone/available/type=zone"]
    with pytest.raises(InputError, match="from zone nova to zone2 and changes other extra specs or QoS"):
        cells(questioner, "1,lvm-a,available", f"{far} v:t=1", **asked)


def test_what_strikes_first_decides(questioner: Questioner) -> None:
    """API before scheduler before Nova, however they were named; what does no harm is left out."""
    question = Question(
        volume=words.volume("1,-,in-use,stopped+paused"), to="rbd-a", sources=("lvm-a",), fill="sparse",
        given=("service-frozen", "snapshot"),
    )  # fmt: skip
    (asked,) = questioner.asked(question)
    assert asked.cell.precondition == "snapshot"
    # The last is what is left when nothing is in the way any more: several servers have the volume.
    assert [each.precondition for each in asked.others] == ["service-frozen", "server-stopped", "none"]


BROKEN = """
[DEFAULT]
enabled_backends = lvm, files
[lvm]
volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
volume_backend_name = lvm
[files]
volume_driver = cinder.volume.drivers.nfs.NfsDriver
volume_backend_name = files
nas_host = 192.0.2.50
nas_share_path = /export/cinder
nfs_snapshot_support = True
"""


def test_a_driver_that_cannot_be_set_up_is_no_place_for_a_volume(tmp_path: Path) -> None:
    """The driver says why."""
    questioner = Questioner(deployment(tmp_path, BROKEN))
    for asked in ({"to": "files"}, {"to": "lvm", "sources": ["files"]}):
        with pytest.raises(InputError, match="its driver cannot be set up: Snapshots are not supported with"):
            cells(questioner, "1,-,available", **asked)
    assert cells(questioner, "1,lvm,available", new_type="lvm") == [
        "retype/lvm/lvm/available/precondition=same-type"
    ]
