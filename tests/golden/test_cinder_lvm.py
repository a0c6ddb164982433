"""Cinder's own LVM class, unmodified, over the fake command line; skipped where cinder is not installed."""

from __future__ import annotations

from typing import Any

import pytest

from fake_backends.host.paths import Host
from fake_backends.lvm.commands import execute

lvm = pytest.importorskip("cinder.brick.local_dev.lvm", reason="cinder is not installed")
GIB = 1 << 30


def cinder_group(monkeypatch: pytest.MonkeyPatch, host: Host, lvm_type: str) -> Any:
    """Cinder's view of the group ``vg``; whatever it executes, the host answers."""
    processutils = pytest.importorskip("oslo_concurrency.processutils")

    def run(*argv: str, **kwargs: Any) -> tuple[str, str]:
        result = execute(host, argv)
        if result.rc:
            raise processutils.ProcessExecutionError(result.stdout, result.stderr, result.rc, " ".join(argv))
        return result.stdout, result.stderr

    monkeypatch.setattr(lvm.cinder.privsep.sys_admin_pctxt, "client_mode", False)
    monkeypatch.setattr(lvm.putils, "execute", run)
    monkeypatch.setattr(lvm.LVM, "supports_pvs_ignoreskippedcluster", staticmethod(lambda _: True))
    return lvm.LVM("vg", "sudo", lvm_type=lvm_type, executor=run, lvm_conf=None)


def new_host() -> Host:
    """A host with a volume group of 10 GiB."""
    host = Host("node1")
    host.add_disk("/dev/vdb", 10 * GIB)
    assert execute(host, ["vgcreate", "vg", "/dev/vdb"]).rc == 0
    return host


def test_life_of_a_thick_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    """Created, snapshotted, extended, reverted, renamed and deleted."""
    host = new_host()
    group = cinder_group(monkeypatch, host, "default")
    group.create_volume("a", "1g")
    group.create_lv_snapshot("s", "a")
    assert (group.lv_has_snapshot("a"), group.lv_is_snapshot("s"), group.lv_get_origin("s")) == (
        True,
        True,
        "a",
    )
    group.extend_volume("a", "2g")
    assert group.get_volume("a")["size"] == "2.00"
    group.revert("s")
    group.deactivate_lv("a")
    group.activate_lv("a")
    group.rename_volume("a", "b")
    group.delete("b")
    assert group.get_volumes() == []


def test_life_of_a_thin_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool of 95 % is made by Cinder; a clone is a snapshot that is active and larger."""
    host = new_host()
    group = cinder_group(monkeypatch, host, "thin")
    group.create_volume("a", "1g", lv_type="thin")
    group.create_lv_snapshot("s", "a", "thin")
    group.create_lv_snapshot("b", "s", "thin")
    group.extend_volume("b", "2g")
    group.activate_lv("b", is_snapshot=True, permanent=True)
    group.update_volume_group_info()
    assert (group.vg_thin_pool_size, group.vg_provisioned_capacity) == (9.5, 4.0)
    group.delete("a")
    assert group.lv_get_origin("s") is None


def test_errors_are_those_of_lvm2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class raises what it raises on the real one."""
    processutils = pytest.importorskip("oslo_concurrency.processutils")
    group = cinder_group(monkeypatch, new_host(), "default")
    for wrong in ("100g", "0g"):
        with pytest.raises(processutils.ProcessExecutionError):
            group.create_volume("a", wrong)
    with pytest.raises(lvm.exception.VolumeDeviceNotFound):
        group.create_lv_snapshot("s", "nope")
