"""From the deployment's cinder.conf files to the one that Cinder reads in this process.

All nodes share one process, and so one configuration: what is said of a node in ``[DEFAULT]`` or shared in
``[backend_defaults]`` is written into the sections of its back-ends. Options that Crucible does not know go
through as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from oslo_config import cfg

from fake_backends.nfs.driver import DEFAULTS
from harness.control_plane.backup_manager import DRIVER
from harness.control_plane.deployment import Deployment

Sections = dict[str, dict[str, list[str]]]

_OURS = frozenset({
    "enabled_backends", "host", "my_ip", "state_path", "transport_url", "auth_strategy", "api_paste_config",
    "rootwrap_config", "osapi_volume_extension", "log_file", "log_dir", "use_journal", "use_syslog",
})  # fmt: skip
"""Options of ``[DEFAULT]`` that this process decides itself."""
_SECTIONS_OF_OURS = frozenset({
    "database", "oslo_concurrency", "coordination", "key_manager", "nova", "glance", "keystone_authtoken",
    "oslo_messaging_rabbit", "oslo_messaging_notifications", "oslo_policy", "barbican", "service_user",
})  # fmt: skip


_TGT = "tgtadm"
"""The default of target_helper."""


def cinder_conf(deployment: Deployment, home: Path, drivers: Mapping[str, str]) -> str:
    """The text of the file; `home` is where Cinder may keep what it must.

    `drivers` maps kinds of back-ends to the driver that shall take the place of the configured one.

    A section has the name of its back-end, which is unique, where two nodes have sections of one name.
    """
    parsed = {node.host: _parse(node.file) for node in deployment.nodes}
    first = parsed[deployment.nodes[0].host]
    result: Sections = {"DEFAULT": {}}
    for name, sections in first.items():
        if name in ("backend_defaults", *_SECTIONS_OF_OURS) or name in (
            plan.section for plan in deployment.backends
        ):
            continue
        kept = {
            option: values for option, values in sections.items() if name != "DEFAULT" or option not in _OURS
        }
        result[name] = kept
    result["DEFAULT"].update({
        "enabled_backends": [",".join(plan.name for plan in deployment.backends)],
        "host": ["controller"],
        "my_ip": ["192.0.2.254"],
        "state_path": [str(home)],
        "transport_url": ["fake://"],
        "auth_strategy": ["noauth"],
        "rootwrap_config": ["/etc/cinder/rootwrap.conf"],
        "resource_query_filters_file": [str(home / "resource_filters.json")],
        "backup_driver": [DRIVER],
        "default_volume_type": first.get("DEFAULT", {}).get("default_volume_type", ["__DEFAULT__"]),
    })  # fmt: skip
    # A connection that is thrown away for its age takes the database in memory along.
    result["database"] = {"connection": ["sqlite://"], "connection_recycle_time": ["-1"]}
    result["oslo_concurrency"] = {"lock_path": [str(home)]}
    result["oslo_policy"] = {"policy_file": [str(home / "policy.yaml")]}
    result["oslo_messaging_notifications"] = {"driver": ["noop"]}
    addresses = {node.host: str(node.options["my_ip"]) for node in deployment.nodes}
    for plan in deployment.backends:
        said = parsed[plan.node]
        options = {**said.get("backend_defaults", {}), **said.get(plan.section, {})}
        options.setdefault("target_ip_address", [addresses[plan.node]])
        options["backend_availability_zone"] = [plan.availability_zone]
        options.setdefault("volumes_dir", [str(home / "volumes")])
        if plan.kind == "lvm" and options.get("target_helper", [_TGT])[-1] == _TGT:
            # The machines here have no tgt daemon; LIO exports the same volumes to the same hosts.
            options["target_helper"] = ["lioadm"]
        if plan.kind in drivers:
            options["volume_driver"] = [drivers[plan.kind]]
        elif plan.foreign:
            options["volume_driver"] = [plan.driver.replace(":", ".")]
        if plan.kind == "nfs":
            options.setdefault("nfs_mount_point_base", [DEFAULTS["nfs_mount_point_base"]])
        result[plan.name] = options
    return "".join(
        f"[{name}]\n"
        + "".join(f"{option} = {value}\n" for option, values in options.items() for value in values)
        for name, options in result.items()
    )


def _parse(path: str) -> Sections:
    """Section -> option -> raw values, of a file that has been checked before."""
    sections: Sections = {}
    cfg.ConfigParser(path, sections).parse()
    return sections
