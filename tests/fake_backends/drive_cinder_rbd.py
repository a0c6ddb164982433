"""Runs Cinder's own, unmodified RBD driver and os-brick's RBD handle over fake clusters; prints what it saw.

A process of its own, because `sys.modules` then holds the fakes and because importing Cinder patches
the process.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any
from unittest import mock

from fake_backends.rbd.bindings import modules
from fake_backends.rbd.bindings.configuration import Configuration
from fake_backends.rbd.cluster import Cluster

GIB = 1 << 30


def main() -> None:
    """A volume's life in two pools of one cluster."""
    cluster = Cluster("ceph", size=100 * GIB)
    pool = cluster.create_pool("volumes")
    cluster.create_pool("other")
    pair = modules({"/etc/ceph/ceph.conf": Configuration(cluster)})
    sys.modules["rados"], sys.modules["rbd"] = pair

    context: Any = import_module("cinder.context")
    objects: Any = import_module("cinder.objects")
    configuration: Any = import_module("cinder.volume.configuration")
    base_driver: Any = import_module("cinder.volume.driver")
    rbd_driver: Any = import_module("cinder.volume.drivers.rbd")
    linuxrbd: Any = import_module("os_brick.initiator.linuxrbd")
    cfg: Any = import_module("oslo_config.cfg")

    objects.register_all()
    ctxt = context.get_admin_context()
    driver_options = [*base_driver.volume_opts, *rbd_driver.RBD_OPTS]
    options = configuration.Configuration(driver_options, config_group="ceph")
    for option, value in (
        ("rbd_pool", "volumes"),
        ("rbd_user", "cinder"),
        ("rbd_ceph_conf", "/etc/ceph/ceph.conf"),
    ):
        cfg.CONF.set_override(option, value, group="ceph")
    driver: Any = rbd_driver.RBDDriver(execute=mock.Mock(), configuration=options, host="node@ceph")
    driver.do_setup(ctxt)
    driver.check_for_setup_error()

    def volume(number: int, size: int = 1) -> Any:
        identity = f"00000000-0000-4000-8000-{number:012d}"
        return objects.Volume(
            context=ctxt,
            id=identity,
            _name_id=None,
            size=size,
            status="available",
            use_quota=True,
            volume_type=None,
            volume_type_id=None,
            encryption_key_id=None,
            host="node@ceph#ceph",
        )

    seen: dict[str, Any] = {}
    first = volume(1)
    driver.create_volume(first)
    handle = linuxrbd.RBDVolumeIOWrapper(
        linuxrbd.RBDImageMetadata(
            linuxrbd.RBDVolume(
                linuxrbd.RBDClient("cinder", "volumes", conffile="/etc/ceph/ceph.conf"), first.name
            ),
            "volumes",
            "cinder",
            "/etc/ceph/ceph.conf",
        )
    )
    handle.write(b"os-brick was here")
    handle.flush()
    handle.seek(0)
    seen["read by os-brick"] = handle.read(17).decode()
    handle.close()
    driver.extend_volume(first, 2)
    first.size = 2
    seen["size after extend"] = pool.image(first.name).size // GIB
    snapshot = objects.Snapshot(
        context=ctxt,
        id="00000000-0000-4000-9000-000000000001",
        volume_id=first.id,
        volume_size=2,
        volume=first,
    )
    driver.create_snapshot(snapshot)
    second = volume(2, 3)
    driver.create_volume_from_snapshot(second, snapshot)
    with pool.open(second.name, read_only=True) as image:
        seen["read from the snapshot's volume"] = image.read(0, 17).decode()
    third = volume(3, 2)
    driver.create_cloned_volume(third, first)
    seen["clone's parent"] = pool.image(third.name).parent is not None
    fourth = volume(4)
    driver.create_volume(fourth)
    with pool.open(fourth.name) as image:
        image.write(0, b"moves")
    location = f"ceph:/etc/ceph/ceph.conf:{cluster.fsid}:cinder:other"
    capabilities = {"storage_protocol": "ceph", "location_info": location}
    moved, _ = driver.migrate_volume(ctxt, fourth, {"host": "node@other#other", "capabilities": capabilities})
    with cluster.pool("other").open(fourth.name, read_only=True) as image:
        seen["migrated"] = [moved, image.read(0, 5).decode(), fourth.name in pool]
    driver.delete_snapshot(snapshot)
    stats = driver.get_volume_stats(refresh=True)
    seen["stats"] = [stats["storage_protocol"], stats["total_capacity_gb"]]
    for each in (third, second, first):
        driver.delete_volume(each)
    seen["left over"] = [each.name for each in (first, second, third) if each.name in pool]
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
