"""Operators freeze, thaw and fail over back-ends, and disable clusters."""

from __future__ import annotations

from typing import Any

import pytest

from harness import errors
from harness.model import Service, Volume
from tests.harness.control_plane.conftest import Lab

HOST = "node1@lvm-a"


def row(lab: Lab) -> dict[str, Any]:
    fields = ("frozen", "disabled", "disabled_reason", "replication_status", "active_backend_id")
    return {field: lab.database.services[HOST][field] for field in fields}


def test_a_frozen_back_end_is_disabled_by_its_service(lab: Lab) -> None:
    """And back again (`VolumeManager.freeze_host`, `thaw_host`)."""
    before = row(lab)
    lab.act(lab.api.freeze_host, lab.admin, HOST)
    assert row(lab) == {**before, "frozen": True, "disabled": True, "disabled_reason": "frozen"}
    with pytest.raises(errors.InvalidInput, match=r"frozen in \['node1@lvm-a'\] must be False to failover"):
        lab.api.freeze_host(lab.admin, HOST)
    assert lab.act(lab.api.thaw_host, lab.admin, HOST) is None
    assert row(lab) == {**before, "disabled_reason": ""}


def test_what_a_driver_says_to_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot freeze is not heard; one that cannot thaw keeps its service disabled."""
    monkeypatch.setattr(lab.manager("lvm-a").driver, "freeze_backend", _fails)
    monkeypatch.setattr(lab.manager("lvm-a").driver, "thaw_backend", _fails)
    lab.act(lab.api.freeze_host, lab.admin, HOST)
    assert row(lab)["disabled_reason"] == "frozen"
    answer = lab.act(lab.api.thaw_host, lab.admin, HOST)
    assert answer == "Backend reported error during thaw_host operation."
    assert (row(lab)["frozen"], row(lab)["disabled"]) == (False, True)


def _fails(context: object) -> bool:
    raise errors.VolumeDriverException(message="no")


def test_a_service_that_is_gone_is_frozen_on_its_row_only(lab: Lab) -> None:
    """Nobody answers, so the operator hears of a timeout a minute later."""
    lab.cloud.stop("lvm-a")
    with pytest.raises(errors.MessagingTimeout):
        lab.act(lab.api.freeze_host, lab.admin, HOST)
    assert (row(lab)["frozen"], row(lab)["disabled"]) == (True, False)


def test_a_back_end_without_replicas_does_not_fail_over(lab: Lab) -> None:
    """400, in words that Cinder uses for freezing, too."""
    with pytest.raises(errors.InvalidInput, match=r"must be \['enabled', 'failed-over'\] and must be up"):
        lab.api.failover_host(lab.admin, HOST)
    with pytest.raises(errors.Invalid, match="No service found with host=node1@nowhere"):
        lab.api.failover_host(lab.admin, "node1@nowhere")
    with pytest.raises(errors.PolicyNotAuthorized):
        lab.api.failover_host(lab.owner, HOST)


@pytest.fixture
def volumes(lab: Lab) -> list[Volume]:
    """A replicated volume, and one that is not and has a snapshot, on a service that replicates."""
    made = [lab.volume(), lab.volume()]
    lab.act(lab.api.create_snapshot, lab.owner, made[1].id)
    lab.write(made[0], replication_status="enabled")
    lab.database.update(Service, HOST, {"replication_status": "enabled"})
    return made


def test_a_failover_and_the_way_back(lab: Lab, volumes: list[Volume], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not replicated is lost, with its snapshots; coming back does not bring it back."""

    def failover_host(
        context: object, volumes: list[Volume], **keywords: Any
    ) -> tuple[str, list[Any], list[Any]]:
        return "far", [{"volume_id": each.id, "updates": {}} for each in volumes], []

    monkeypatch.setattr(lab.manager("lvm-a").driver, "failover_host", failover_host)
    lab.act(lab.api.failover_host, lab.admin, HOST, backend_id="far")
    assert row(lab) == {"frozen": False, "disabled": True, "disabled_reason": "failed-over",
                        "replication_status": "failed-over", "active_backend_id": "far"}  # fmt: skip
    found = [lab.now(volume) for volume in volumes]
    assert [(each.status, each.replication_status) for each in found] == [
        ("available", "failed-over"), ("error", "not-capable")
    ]  # fmt: skip
    assert [each["status"] for each in lab.database.snapshots.values()] == ["error"]
    lab.act(lab.api.failover_host, lab.admin, HOST, backend_id="default")
    assert row(lab) == {"frozen": False, "disabled": False, "disabled_reason": "",
                        "replication_status": "enabled", "active_backend_id": ""}  # fmt: skip
    assert [lab.now(volume).status for volume in volumes] == ["available", "error"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidReplicationTarget(reason="far"), ("enabled", False)),
        (errors.VolumeDriverException(message="no"), ("failover-error", True)),
    ],
)
def test_a_failover_that_fails(
    lab: Lab,
    volumes: list[Volume],
    monkeypatch: pytest.MonkeyPatch,
    error: errors.ServiceError,
    status: tuple[str, bool],
) -> None:
    """A target that is none changes nothing of the service; anything else disables it."""

    def failover_host(context: object, volumes: object, **keywords: Any) -> Any:
        raise error

    monkeypatch.setattr(lab.manager("lvm-a").driver, "failover_host", failover_host)
    lab.act(lab.api.failover_host, lab.admin, HOST)
    assert (row(lab)["replication_status"], row(lab)["disabled"]) == status
