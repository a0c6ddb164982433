"""The options that an image can override, with the values that librbd 16.2.15 has for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fake_backends.rbd.bindings import constants

IMAGE_OPTIONS: Mapping[str, str] = {
    "rbd_atime_update_interval": "60",
    "rbd_balance_parent_reads": "false",
    "rbd_balance_snap_reads": "false",
    "rbd_blkin_trace_all": "false",
    "rbd_blocklist_expire_seconds": "0",
    "rbd_blocklist_on_break_lock": "true",
    "rbd_cache": "true",
    "rbd_cache_block_writes_upfront": "false",
    "rbd_cache_max_dirty": "25165824",
    "rbd_cache_max_dirty_age": "1.000000",
    "rbd_cache_max_dirty_object": "0",
    "rbd_cache_policy": "writearound",
    "rbd_cache_size": "33554432",
    "rbd_cache_target_dirty": "16777216",
    "rbd_cache_writethrough_until_flush": "true",
    "rbd_clone_copy_on_read": "false",
    "rbd_compression_hint": "none",
    "rbd_concurrent_management_ops": "10",
    "rbd_default_map_options": "",
    "rbd_default_snapshot_quiesce_mode": "required",
    "rbd_disable_zero_copy_writes": "true",
    "rbd_discard_granularity_bytes": "65536",
    "rbd_enable_alloc_hint": "true",
    "rbd_invalidate_object_map_on_timeout": "true",
    "rbd_io_scheduler": "simple",
    "rbd_io_scheduler_simple_max_delay": "0",
    "rbd_journal_commit_age": "5.000000",
    "rbd_journal_max_concurrent_object_sets": "0",
    "rbd_journal_max_payload_bytes": "16384",
    "rbd_journal_object_flush_age": "0.000000",
    "rbd_journal_object_flush_bytes": "1048576",
    "rbd_journal_object_flush_interval": "0",
    "rbd_journal_object_max_in_flight_appends": "0",
    "rbd_journal_object_writethrough_until_flush": "true",
    "rbd_localize_parent_reads": "false",
    "rbd_localize_snap_reads": "false",
    "rbd_mirroring_delete_delay": "0",
    "rbd_mirroring_max_mirroring_snapshots": "5",
    "rbd_mirroring_replay_delay": "0",
    "rbd_mirroring_resync_after_disconnect": "false",
    "rbd_move_parent_to_trash_on_remove": "false",
    "rbd_move_to_trash_on_remove": "false",
    "rbd_move_to_trash_on_remove_expire_seconds": "0",
    "rbd_mtime_update_interval": "60",
    "rbd_non_blocking_aio": "true",
    "rbd_parent_cache_enabled": "false",
    "rbd_persistent_cache_mode": "disabled",
    "rbd_persistent_cache_path": "/tmp",
    "rbd_persistent_cache_size": "1073741824",
    "rbd_plugins": "",
    "rbd_qos_bps_burst": "0",
    "rbd_qos_bps_burst_seconds": "1",
    "rbd_qos_bps_limit": "0",
    "rbd_qos_iops_burst": "0",
    "rbd_qos_iops_burst_seconds": "1",
    "rbd_qos_iops_limit": "0",
    "rbd_qos_read_bps_burst": "0",
    "rbd_qos_read_bps_burst_seconds": "1",
    "rbd_qos_read_bps_limit": "0",
    "rbd_qos_read_iops_burst": "0",
    "rbd_qos_read_iops_burst_seconds": "1",
    "rbd_qos_read_iops_limit": "0",
    "rbd_qos_schedule_tick_min": "50",
    "rbd_qos_write_bps_burst": "0",
    "rbd_qos_write_bps_burst_seconds": "1",
    "rbd_qos_write_bps_limit": "0",
    "rbd_qos_write_iops_burst": "0",
    "rbd_qos_write_iops_burst_seconds": "1",
    "rbd_qos_write_iops_limit": "0",
    "rbd_quiesce_notification_attempts": "10",
    "rbd_read_from_replica_policy": "default",
    "rbd_readahead_disable_after_bytes": "52428800",
    "rbd_readahead_max_bytes": "524288",
    "rbd_readahead_trigger_requests": "10",
    "rbd_request_timed_out_seconds": "30",
    "rbd_skip_partial_discard": "true",
    "rbd_sparse_read_threshold_bytes": "65536",
}


def in_force(
    defaults: Mapping[str, str], *overrides: tuple[int, Mapping[str, str]]
) -> Iterator[dict[str, Any]]:
    """Each option with its value and where that comes from: the last of `overrides` (source, metadata) wins."""
    for option, value in defaults.items():
        source = constants.RBD_CONFIG_SOURCE_CONFIG
        for place, metadata in overrides:
            if f"conf_{option}" in metadata:
                value, source = metadata[f"conf_{option}"], place
        yield {"name": option, "value": value, "source": source}


def fits(option: str, value: str) -> bool:
    """True if images have the option, and the value is of its kind: a number, a truth value or a text."""
    default = IMAGE_OPTIONS.get(option)
    if default is None:
        return False
    if default in ("true", "false"):
        return value.lower() in ("true", "false", "yes", "no", "on", "off", "0", "1")
    return value.isdigit() or not default.replace(".", "").isdigit()
