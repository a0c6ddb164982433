"""One cinder.conf, read with oslo.config as Cinder reads it.

Each file has its own `ConfigOpts`: neither the command line, nor the environment, nor /etc/cinder, nor
another file has a say. Types, defaults and choices are Cinder's; they are enforced for every known option at
once, not at first use. Options that are not listed here are ignored, as Cinder ignores them.

A back-end section falls back to ``[backend_defaults]``, then to the option's default, and never to
``[DEFAULT]`` (`cinder.volume.configuration:BackendGroupConfiguration`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg, types

from harness.control_plane.filters import DEFAULT_FILTERS, FILTERS
from harness.control_plane.weighers import DEFAULT_WEIGHERS, HANDLERS, ORDERED, WEIGHERS
from harness.driver import Configuration
from harness.errors import InputError

SHARED_SECTION = "backend_defaults"

DEFAULT_OPTIONS: tuple[cfg.Opt, ...] = (
    cfg.ListOpt("enabled_backends"),
    cfg.StrOpt("host"),
    cfg.StrOpt("cluster"),
    cfg.HostAddressOpt("my_ip"),
    cfg.StrOpt("state_path", default="/var/lib/cinder"),
    cfg.StrOpt("storage_availability_zone", default="nova"),
    cfg.StrOpt("default_availability_zone"),
    cfg.BoolOpt("allow_availability_zone_fallback", default=False),
    cfg.BoolOpt("cloned_volume_same_az", default=True),
    cfg.StrOpt("default_volume_type", default="__DEFAULT__"),
    cfg.IntOpt("migration_create_volume_timeout_secs", default=300),
    cfg.IntOpt("service_down_time", default=60),
    cfg.IntOpt("report_interval", default=10),
    cfg.IntOpt("backend_stats_polling_interval", default=60, min=3),
    cfg.IntOpt("reinit_driver_count", default=3),
    cfg.IntOpt("reservation_expire", default=86400),
    cfg.IntOpt("reservation_clean_interval", default="$reservation_expire"),
    cfg.IntOpt("scheduler_max_attempts", default=3, min=1),
    cfg.ListOpt("scheduler_default_filters", types.String(choices=list(FILTERS)), default=DEFAULT_FILTERS),
    cfg.ListOpt("scheduler_default_weighers", types.String(choices=list(WEIGHERS)), default=DEFAULT_WEIGHERS),
    cfg.StrOpt("scheduler_weight_handler", choices=HANDLERS, default=ORDERED),
    cfg.FloatOpt("capacity_weight_multiplier", default=1.0),
    cfg.FloatOpt("allocated_capacity_weight_multiplier", default=-1.0),
    cfg.FloatOpt("volume_number_multiplier", default=-1.0),
    cfg.IntOpt("scheduler_driver_init_wait_time", default=60, min=1),
    cfg.IntOpt("message_ttl", default=2592000),
    cfg.IntOpt("message_reap_interval", default=86400),
    cfg.IntOpt("quota_volumes", default=10),
    cfg.IntOpt("quota_snapshots", default=10),
    cfg.IntOpt("quota_gigabytes", default=1000),
    cfg.IntOpt("quota_backups", default=10),
    cfg.IntOpt("quota_backup_gigabytes", default=1000),
    cfg.IntOpt("quota_groups", default=10),
    cfg.BoolOpt("enable_force_upload", default=False),
    cfg.IntOpt("per_volume_size_limit", default=-1),
    cfg.BoolOpt("no_snapshot_gb_quota", default=False),
    cfg.StrOpt("max_over_subscription_ratio", default="20.0", regex=r"^(auto|\d*\.\d+|\d+)$"),
)
"""What is read of ``[DEFAULT]``."""

BACKEND_OPTIONS: tuple[cfg.Opt, ...] = (
    # any driver
    cfg.StrOpt("volume_driver"),
    cfg.StrOpt("volume_backend_name"),
    cfg.StrOpt("backend_host"),
    cfg.StrOpt("backend_availability_zone"),
    cfg.StrOpt("extra_capabilities", default="{}"),
    cfg.IntOpt("reserved_percentage", default=0, min=0, max=100),
    cfg.StrOpt("max_over_subscription_ratio", default="20.0", regex=r"^(auto|\d*\.\d+|\d+)$"),
    cfg.IntOpt("num_shell_tries", default=3),
    cfg.IntOpt("num_volume_device_scan_tries", default=3),
    cfg.StrOpt("volume_dd_blocksize", default="1M"),
    cfg.StrOpt("volume_copy_blkio_cgroup_name", default="cinder-volume-copy"),
    cfg.IntOpt("volume_copy_bps_limit", default=0),
    cfg.BoolOpt("use_multipath_for_image_xfer", default=False),
    cfg.BoolOpt("enforce_multipath_for_image_xfer", default=False),
    cfg.BoolOpt("enable_unsupported_driver", default=False),
    cfg.BoolOpt("report_discard_supported", default=False),
    cfg.StrOpt("filter_function"),
    cfg.StrOpt("goodness_function"),
    # Crucible's own: the fake of the array that a driver talks to, and which sections have one in common
    cfg.StrOpt("crucible_array"),
    cfg.StrOpt("crucible_array_name"),
    # exports
    cfg.StrOpt(
        "target_helper",
        default="tgtadm",
        choices=["tgtadm", "lioadm", "scstadmin", "iscsictl", "nvmet", "spdk-nvmeof", "fake"],
    ),
    cfg.StrOpt("target_protocol", default="iscsi", choices=["iscsi", "iser", "nvmet_rdma", "nvmet_tcp"]),
    cfg.StrOpt("target_prefix", default="iqn.2010-10.org.openstack:"),
    cfg.StrOpt("target_ip_address", default="$my_ip"),
    cfg.ListOpt("target_secondary_ip_addresses", default=[], deprecated_name="iscsi_secondary_ip_addresses"),
    cfg.PortOpt("target_port", default=3260),
    cfg.BoolOpt("use_chap_auth", default=False),
    cfg.StrOpt("chap_username", default=""),
    cfg.StrOpt("chap_password", default="", secret=True),
    cfg.StrOpt("iscsi_write_cache", default="on", choices=["on", "off"]),
    cfg.StrOpt("iscsi_target_flags", default=""),
    cfg.StrOpt("volumes_dir", default="$state_path/volumes"),
    # cinder.volume.drivers.lvm
    cfg.StrOpt("volume_group", default="cinder-volumes"),
    cfg.StrOpt("lvm_type", default="auto", choices=["default", "thin", "auto"]),
    cfg.IntOpt("lvm_mirrors", default=0),
    cfg.StrOpt("lvm_conf_file", default="/etc/cinder/lvm.conf"),
    cfg.BoolOpt("lvm_suppress_fd_warnings", default=False),
    cfg.BoolOpt("lvm_share_target", default=False),
    cfg.StrOpt("volume_clear", default="zero", choices=["none", "zero"]),
    cfg.IntOpt("volume_clear_size", default=0, max=1024),
    cfg.StrOpt("volume_clear_ionice"),
    # cinder.volume.drivers.nfs and .remotefs
    cfg.StrOpt("nfs_shares_config", default="/etc/cinder/nfs_shares"),
    cfg.BoolOpt("nfs_sparsed_volumes", default=True),
    cfg.BoolOpt("nfs_qcow2_volumes", default=False),
    cfg.StrOpt("nfs_mount_point_base", default="$state_path/mnt"),
    cfg.StrOpt("nfs_mount_options"),
    cfg.IntOpt("nfs_mount_attempts", default=3),
    cfg.BoolOpt("nfs_snapshot_support", default=False),
    cfg.StrOpt("nas_host", default=""),
    cfg.StrOpt("nas_share_path", default=""),
    cfg.StrOpt("nas_mount_options"),
    cfg.StrOpt("nas_secure_file_operations", default="auto"),
    cfg.StrOpt("nas_secure_file_permissions", default="auto"),
    # cinder.volume.drivers.rbd
    cfg.StrOpt("rbd_cluster_name", default="ceph"),
    cfg.StrOpt("rbd_pool", default="rbd"),
    cfg.StrOpt("rbd_user"),
    cfg.StrOpt("rbd_ceph_conf", default=""),
    cfg.StrOpt("rbd_secret_uuid"),
    cfg.BoolOpt("rbd_flatten_volume_from_snapshot", default=False),
    cfg.IntOpt("rbd_max_clone_depth", default=5),
    cfg.IntOpt("rbd_store_chunk_size", default=4),
    cfg.IntOpt("rados_connect_timeout", default=-1),
    cfg.IntOpt("rados_connection_retries", default=3),
    cfg.IntOpt("rados_connection_interval", default=5),
    cfg.BoolOpt("report_dynamic_total_capacity", default=True),
    cfg.BoolOpt("rbd_exclusive_cinder_pool", default=True),
    cfg.BoolOpt("enable_deferred_deletion", default=False),
    cfg.IntOpt("deferred_deletion_delay", default=0),
    cfg.IntOpt("deferred_deletion_purge_interval", default=60),
    cfg.IntOpt("rbd_concurrent_flatten_operations", default=3, min=0),
)
"""What is read of a back-end section.

`volume_driver` has no default here, other than in Cinder (LVM): a section without it is a mistake.
"""


class ConfigurationFile:
    """A parsed cinder.conf. `name` is how messages call it.

    `host` and `address` stand for the machine's name and address, which Cinder asks the machine for: they are
    the defaults of the options host and my_ip.
    """

    def __init__(self, path: Path, *, host: str, address: str) -> None:
        self.name = str(path)
        self._conf = _parsed(path)
        self._conf.register_opts(DEFAULT_OPTIONS)
        self._conf.set_default("host", host)
        self._conf.set_default("my_ip", address)
        self.sections = tuple(name for name in self._conf.list_all_sections() if name != "DEFAULT")

    def defaults(self) -> dict[str, Any]:
        """The options of ``[DEFAULT]``."""
        return {option.dest: self._value(option, None) for option in DEFAULT_OPTIONS}

    def has_section(self, name: str) -> bool:
        """True if there is such a section; as for oslo.config, upper and lower case are the same."""
        return name.lower() in [section.lower() for section in self.sections]

    def backend(self, section: str, more: Sequence[cfg.Opt] = ()) -> Configuration:
        """The options of a back-end section, and `more`: what its driver declares beyond those listed."""
        options = [*BACKEND_OPTIONS, *(option for option in more if option.dest not in _BACKEND_NAMES)]
        values: dict[str, Any] = {}
        for option in options:
            self._register(option, SHARED_SECTION)
            self._register(option, section)
            if section != SHARED_SECTION:
                # The default of the section's own option would hide what stands in the shared section.
                self._conf.set_default(option.dest, None, group=section)
            value = self._value(option, section)
            values[option.dest] = self._value(option, SHARED_SECTION) if value is None else value
        return Configuration(section, values)

    def written(self, section: str) -> dict[str, str]:
        """What a back-end section and the shared one say, as it is written; of an option with several values
        the last.
        """
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(self.name, sections).parse()
        names = [name for name in sections if name.lower() in (SHARED_SECTION, section.lower())]
        names.sort(key=lambda name: name.lower() != SHARED_SECTION)
        return {option: values[-1] for name in names for option, values in sections[name].items()}

    def error(self, section: str, option: str, text: str) -> InputError:
        """What to raise: one line that names the file, the section and the option."""
        return InputError(f"{self.name}: [{section}] {option}{text}")

    def _register(self, option: cfg.Opt, group: str) -> None:
        try:
            self._conf.register_opt(option, group=group)
        except cfg.DuplicateOptError:
            pass  # two drivers declare it differently: the first counts, as in Cinder

    def _value(self, option: cfg.Opt, group: str | None) -> Any:
        section = group or "DEFAULT"
        try:
            return self._conf[group][option.dest] if group else self._conf[option.dest]
        except cfg.NoSuchOptError as error:
            raise self.error(
                section, option.name, f": refers to ${error.opt_name}, which is no option of [DEFAULT]"
            ) from error
        except cfg.ConfigSourceValueError as error:
            raw = self._raw(option, section)
            raise self.error(section, option.name, f" = {raw}: must be {_what_fits(option)}") from error
        except cfg.Error as error:
            raise self.error(section, option.name, f": {error}") from error
        except RecursionError:
            raise self.error(section, option.name, ": refers to itself; it must be a value") from None

    def _raw(self, option: cfg.Opt, section: str) -> str:
        """What the file says, on one line, whatever the option's type."""
        conf = _parsed(Path(self.name))
        conf.register_opts([known for known in DEFAULT_OPTIONS if known.dest != option.dest])
        group = None if section == "DEFAULT" else section
        conf.register_opt(cfg.StrOpt(option.name), group=group)
        value = conf[group][option.dest] if group else conf[option.dest]
        return " ".join(str(value).split())


_BACKEND_NAMES = frozenset(option.dest for option in BACKEND_OPTIONS)


def _parsed(path: Path) -> cfg.ConfigOpts:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give the path of a readable cinder.conf"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text in UTF-8; give the path of a cinder.conf") from error
    if not any(line.strip() and not line.lstrip().startswith(("#", ";")) for line in text.splitlines()):
        raise InputError(f"{path}: is empty; it must have a [DEFAULT] section with enabled_backends")
    conf = cfg.ConfigOpts()
    try:
        conf(args=[], project="cinder", default_config_files=[str(path)], default_config_dirs=[], use_env=False)
    except cfg.ConfigFileParseError as error:
        place = str(error.msg).removeprefix(f"at {path}:").replace("\n", " ")
        raise InputError(f"{path}: line {place}; lines must read [section] or option = value") from error
    return conf


def _what_fits(option: cfg.Opt) -> str:
    """What a value of the option may be, in words."""
    kind = option.type
    if isinstance(kind, types.Integer):
        if kind.min is not None and kind.max is not None:
            return f"an integer from {kind.min} to {kind.max}"
        if kind.min is not None:
            return f"an integer, at least {kind.min}"
        return f"an integer, at most {kind.max}" if kind.max is not None else "an integer"
    if isinstance(kind, types.Boolean):
        return "true or false"
    if isinstance(kind, types.List) and isinstance(kind.item_type, types.String) and kind.item_type.choices:
        return f"some of {', '.join(map(str, kind.item_type.choices))}"
    if isinstance(kind, types.Float):
        return "a number"
    if isinstance(kind, types.String) and kind.choices:
        return f"one of {', '.join(map(str, kind.choices))}"
    if option.name == "max_over_subscription_ratio":
        return "a number such as 20.0, or auto"
    return f"a valid {str(kind.type_name).removesuffix(' value')}"
