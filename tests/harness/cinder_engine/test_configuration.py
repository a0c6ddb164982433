"""The one configuration that the real Cinder reads for all nodes of a deployment."""

from __future__ import annotations

import configparser
from pathlib import Path

from harness.cinder_engine.configuration import cinder_conf
from harness.control_plane.deployment import load

NODE = """
[DEFAULT]
host = {host}
my_ip = {address}
enabled_backends = {section}
storage_availability_zone = {zone}
transport_url = rabbit://broker

[backend_defaults]
target_helper = lioadm
lvm_mirrors = 0

[{section}]
volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
volume_backend_name = gold
volume_group = vg
option_of_a_vendor = kept
"""


def _file(directory: Path, number: int, section: str, zone: str) -> Path:
    path = directory / f"node{number}.conf"
    path.write_text(NODE.format(host=f"n{number}", address=f"198.51.100.{number}", section=section, zone=zone))
    return path


def _read(text: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(default_section="no such section", interpolation=None)
    parsed.read_string(text)
    return parsed


def test_who_exports_with_tgt_exports_with_lio_here(tmp_path: Path) -> None:
    """tgtadm is Cinder's default, and no machine of the engine has it."""
    path = _file(tmp_path, 1, "one", "here")
    path.write_text(path.read_text().replace("target_helper = lioadm\n", ""))
    assert _read(cinder_conf(load([path]), tmp_path, {}))["one"]["target_helper"] == "lioadm"


def test_what_a_node_says_reaches_the_sections_of_its_back_ends(tmp_path: Path) -> None:
    """Zone, address and shared options are the node's; what Crucible does not know goes through."""
    deployment = load([_file(tmp_path, 1, "one", "here"), _file(tmp_path, 2, "two", "there")])
    parsed = _read(cinder_conf(deployment, tmp_path, {}))
    assert parsed["DEFAULT"]["enabled_backends"] == "one,two"
    assert dict(parsed["two"]) == {
        "volume_driver": "cinder.volume.drivers.lvm.LVMVolumeDriver",
        "volume_backend_name": "gold",
        "volume_group": "vg",
        "option_of_a_vendor": "kept",
        "target_helper": "lioadm",
        "lvm_mirrors": "0",
        "target_ip_address": "198.51.100.2",
        "backend_availability_zone": "there",
        "volumes_dir": str(tmp_path / "volumes"),
    }


def test_no_broker_and_no_database_server_is_asked(tmp_path: Path) -> None:
    """Whatever the files say."""
    parsed = _read(cinder_conf(load([_file(tmp_path, 1, "one", "nova")]), tmp_path, {}))
    assert parsed["DEFAULT"]["transport_url"] == "fake://"
    assert parsed["database"]["connection"] == "sqlite://"


def test_another_driver_can_take_the_place_of_a_kind(tmp_path: Path) -> None:
    """As the reference drivers do."""
    parsed = _read(cinder_conf(load([_file(tmp_path, 1, "one", "nova")]), tmp_path, {"lvm": "my.Driver"}))
    assert parsed["one"]["volume_driver"] == "my.Driver"


def test_two_nodes_may_have_sections_of_one_name(tmp_path: Path) -> None:
    """Each section gets the name of its back-end, because Cinder asks for options by section alone."""
    deployment = load([_file(tmp_path, 1, "lvm", "here"), _file(tmp_path, 2, "lvm", "there")])
    parsed = _read(cinder_conf(deployment, tmp_path, {}))
    assert parsed["DEFAULT"]["enabled_backends"] == "lvm@n1,lvm@n2"
    assert [parsed[name]["backend_availability_zone"] for name in ("lvm@n1", "lvm@n2")] == ["here", "there"]
    assert "lvm" not in parsed


def test_nfs_mounts_where_distributions_do(tmp_path: Path) -> None:
    """Not below the directory of this process, whose name is another one in each run."""
    deployment = load([_nfs_file(tmp_path)])
    parsed = _read(cinder_conf(deployment, tmp_path / "home", {}))
    assert parsed["nfs"]["nfs_mount_point_base"] == "/var/lib/cinder/mnt"
    assert parsed["other"]["nfs_mount_point_base"] == "/mnt/cinder"


def _nfs_file(directory: Path) -> Path:
    driver = "volume_driver = cinder.volume.drivers.nfs.NfsDriver\nnas_host = 192.0.2.101"
    path = directory / "node.conf"
    path.write_text(
        "[DEFAULT]\nenabled_backends = nfs, other\n"
        f"[nfs]\n{driver}\nnas_share_path = /srv/one\n"
        f"[other]\n{driver}\nnas_share_path = /srv/two\nnfs_mount_point_base = /mnt/cinder\n"
    )
    return path
