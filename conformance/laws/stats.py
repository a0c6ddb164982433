"""What a driver reports of itself: capabilities and capacity."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from conformance.bench import Bench, TwoBenches
from conformance.contents import Contents, contents, sizes
from conformance.foreign.guard import shortened
from conformance.law import Broken, Chapter, holds, same
from harness.model import GIB

law = Chapter("stats", level="core", stage=Bench)
STATS = "cinder.interface.volume_driver:VolumeDriverCore.get_volume_stats"
FILTER = "cinder.scheduler.filters.capacity_filter:CapacityFilter"
CONTRIBUTOR = "Cinder's contributor documentation, Reporting driver capabilities"
BOOLEANS = (
    "thin_provisioning_support",
    "thick_provisioning_support",
    "QoS_support",
    "multiattach",
    "sparse_copy_volume",
    "online_extend_support",
    "replication_enabled",
    "consistencygroup_support",
    "consistent_group_snapshot_enabled",
    "shared_targets",
)
SLACK_GB = 0.02
"""Figures have two decimals."""
COPIES, UNIT_GB = 4, 2
"""So often storage keeps what is written to it, and in units of so many GiB it counts, at most."""


def read(bench: Bench) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The stats, and its pools with what they inherit; Broken if they have no such form."""
    stats = bench.driver.get_volume_stats(refresh=True)
    holds(isinstance(stats, dict), f"get_volume_stats returned {shortened(stats)}, but should return a dict")
    pools = stats.get("pools")
    if pools is None:
        return stats, [stats]
    holds(
        isinstance(pools, list) and pools and all(isinstance(pool, Mapping) for pool in pools),
        f"pools is {shortened(pools)}, but should be a list of dicts",
    )
    return stats, [{**stats, **pool} for pool in pools]


def number(pool: Mapping[str, Any], key: str) -> float | None:
    value = pool.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


@law(source=STATS)
def stats_say_who_reports(bench: Bench) -> None:
    """Name of the back-end, vendor, version and protocol are there, as text."""
    stats, _ = read(bench)
    for key in ("volume_backend_name", "vendor_name", "driver_version", "storage_protocol"):
        value = stats.get(key)
        lists = (
            key == "storage_protocol"
            and isinstance(value, list)
            and all(isinstance(each, str) for each in value)
        )
        holds(lists or (isinstance(value, str) and value), f"{key} is {value!r}, but should be a text")


@law(source=STATS)
def the_back_end_has_its_configured_name(bench: Bench) -> None:
    """volume_backend_name is that of cinder.conf: volume types choose back-ends by it."""
    same("volume_backend_name", read(bench)[0].get("volume_backend_name"), bench.plan.volume_backend_name)


@law(source=f"{STATS}; {FILTER}")
def capacities_are_numbers_in_their_order(bench: Bench) -> None:
    """0 <= free <= total, each a number of GiB, or infinite, or unknown."""
    for pool in read(bench)[1]:
        for key in ("total_capacity_gb", "free_capacity_gb"):
            value = pool.get(key)
            holds(
                number(pool, key) is not None or value in ("infinite", "unknown"),
                f"{key} is {value!r}, but should be a number of GiB, 'infinite' or 'unknown'",
            )
        free, total = number(pool, "free_capacity_gb"), number(pool, "total_capacity_gb")
        holds(free is None or free >= 0, f"free_capacity_gb is {free}, but should not be negative")
        if free is not None and total is not None:
            holds(
                free <= total + SLACK_GB,
                f"free_capacity_gb is {free}, but should be at most the total, {total}",
            )


@law(source=f"{FILTER}; {CONTRIBUTOR}")
def provisioning_figures_make_sense(bench: Bench) -> None:
    """reserved_percentage is 0 to 100, max_over_subscription_ratio at least 1 or auto, provisioned >= 0."""
    for pool in read(bench)[1]:
        reserved = pool.get("reserved_percentage", 0)
        whole = isinstance(reserved, int) and not isinstance(reserved, bool)
        holds(
            whole and 0 <= reserved <= 100,
            f"reserved_percentage is {reserved!r}, but should be an int, 0 to 100",
        )
        ratio = pool.get("max_over_subscription_ratio", "auto")
        try:
            fits = ratio in ("auto", None) or float(ratio) >= 1
        except (TypeError, ValueError):
            fits = False
        holds(fits, f"max_over_subscription_ratio is {ratio!r}, but should be a number of at least 1, or auto")
        if "provisioned_capacity_gb" in pool:
            value = number(pool, "provisioned_capacity_gb")
            holds(
                value is not None and value >= 0,
                f"provisioned_capacity_gb is {pool['provisioned_capacity_gb']!r}, but should be a number >= 0",
            )


@law(source=CONTRIBUTOR)
def capabilities_are_booleans(bench: Bench) -> None:
    """What is a yes or no is True or False: a text such as 'False' would count as yes."""
    for pool in read(bench)[1]:
        for key in BOOLEANS:
            if key in pool:
                holds(isinstance(pool[key], bool), f"{key} is {pool[key]!r}, but should be True or False")


@law(source=CONTRIBUTOR)
def a_pool_is_thin_or_thick(bench: Bench) -> None:
    """A pool that says how it provisions supports thin volumes, thick ones, or both."""
    for pool in read(bench)[1]:
        if "thick_provisioning_support" in pool and "thin_provisioning_support" in pool:
            holds(
                pool["thick_provisioning_support"] or pool["thin_provisioning_support"],
                "thin_ and thick_provisioning_support are both False, but one should be True",
            )


@law(source=STATS)
def pools_have_names_of_their_own(bench: Bench) -> None:
    """Each pool has a pool_name, and no two the same."""
    stats, pools = read(bench)
    if "pools" not in stats:
        return
    names = [pool.get("pool_name") for pool in pools]
    holds(all(isinstance(name, str) and name for name in names), f"pool names are {names}, but should be texts")
    same("the number of different pool names", len(set(names)), len(names))


@law(source="cinder.volume.manager:VolumeManager.publish_service_capabilities: they travel as JSON")
def stats_are_json(bench: Bench) -> None:
    """Stats are sent to the scheduler as JSON."""
    stats, _ = read(bench)
    try:
        json.dumps(stats)
    except (TypeError, ValueError) as error:
        raise Broken(f"the stats {shortened(stats)} are no JSON: {error}") from error


@law(source=STATS, written=contents())
def stats_that_were_given_out_do_not_change(bench: Bench, written: Contents) -> None:
    """What was reported stays as it was reported when it is read again, whatever happens meanwhile."""
    stats = bench.driver.get_volume_stats(refresh=True)
    before = copy.deepcopy(stats)
    bench.create(2)
    bench.driver.get_volume_stats(refresh=True)
    same("the stats that were reported first", stats, before)


@law(source=STATS, times=st.integers(2, 3))
def asking_again_gives_the_same(bench: Bench, times: int) -> None:
    """When nothing happens, the stats do not change, refreshed or not, restarted or not."""
    first = copy.deepcopy(bench.driver.get_volume_stats(refresh=True))
    for _ in range(times):
        same("the stats", bench.driver.get_volume_stats(refresh=True), first)
    same("the stats without refresh", bench.driver.get_volume_stats(refresh=False), first)
    bench.restart()
    same("the stats after a restart", bench.driver.get_volume_stats(refresh=True), first)


@law(source=STATS)
def the_first_stats_need_no_refresh(bench: Bench) -> None:
    """get_volume_stats without refresh reports everything even if it was never called before."""
    first = bench.driver.get_volume_stats(refresh=False)
    holds(
        isinstance(first, dict) and first,
        f"get_volume_stats(refresh=False) is {shortened(first)}, but should be a dict",
    )
    same("the keys without refresh", sorted(first), sorted(bench.driver.get_volume_stats(refresh=True)))


@law(
    source=f"{FILTER}: capacity reported is capacity used", sizes_gb=st.lists(sizes(20), min_size=1, max_size=3)
)
def a_volume_takes_its_size(bench: Bench, sizes_gb: list[int]) -> None:
    """Volumes count: thick ones in free_capacity_gb, thin ones in provisioned_capacity_gb where it is
    reported."""
    before = read(bench)[1]
    for size in sizes_gb:
        bench.create(size)
    after = read(bench)[1]
    wanted = sum(sizes_gb)
    thin = any(pool.get("thin_provisioning_support") for pool in before)
    key = "provisioned_capacity_gb" if thin else "free_capacity_gb"
    figures = [[number(pool, key) for pool in pools] for pools in (before, after)]
    if None in figures[0] or None in figures[1]:
        return
    change = sum(value or 0 for value in figures[1]) - sum(value or 0 for value in figures[0])
    change = change if thin else -change
    word = "grew" if thin else "shrank"
    holds(
        abs(change - wanted) <= max(SLACK_GB * len(sizes_gb), wanted * 0.01),
        f"{key} {word} by {change:.2f} GiB for volumes of {wanted} GiB, but should by about {wanted}",
    )


@law(source=f"{FILTER}: free_capacity_gb", needs=["data path"], weight=0.25, mib=st.sampled_from([64, 128]))
def what_is_written_takes_about_its_size(bench: Bench, mib: int) -> None:
    """What is written to a volume takes no more from free_capacity_gb than a few copies of it."""
    attached = bench.attach(bench.create())
    before = [number(pool, "free_capacity_gb") for pool in read(bench)[1]]
    attached.fill(mib << 20)
    after = [number(pool, "free_capacity_gb") for pool in read(bench)[1]]
    if None in before or None in after:
        return
    taken = sum(value or 0 for value in before) - sum(value or 0 for value in after)
    most = COPIES * mib / 1024 + UNIT_GB
    holds(taken <= most, f"free_capacity_gb shrank by {taken:.2f} GiB for {mib} MiB, but may by {most}")


@law(
    source=f"{FILTER}: free_capacity_gb",
    needs=["data path", "thin", "storage in memory"],
    gib=st.integers(4, 8),
    weight=0.25,
)
def what_is_written_is_not_free(bench: Bench, gib: int) -> None:
    """Where every pool provisions thinly, free_capacity_gb shrinks by what is written, more or less."""
    volume = bench.create(gib)
    before = read(bench)[1]
    if not all(pool.get("thin_provisioning_support") is True for pool in before):
        return
    bench.attach(volume).fill(gib * GIB)
    figures = [[number(pool, "free_capacity_gb") for pool in pools] for pools in (before, read(bench)[1])]
    if None in figures[0] or None in figures[1]:
        return
    taken = sum(value or 0 for value in figures[0]) - sum(value or 0 for value in figures[1])
    holds(taken >= gib / 2, f"free_capacity_gb shrank by {taken:.2f} GiB for {gib} GiB that were written")


@law(source=f"{STATS}: total_volumes", count=st.integers(1, 3))
def volumes_are_counted(bench: Bench, count: int) -> None:
    """total_volumes, where it is reported, grows with each volume."""
    before = [number(pool, "total_volumes") for pool in read(bench)[1]]
    for _ in range(count):
        bench.create()
    after = [number(pool, "total_volumes") for pool in read(bench)[1]]
    if None not in before and None not in after:
        grown = sum(value or 0 for value in after) - sum(value or 0 for value in before)
        same(f"what total_volumes grew by for {count} volumes", grown, count)


@law(source=f"{FILTER}: capacity reported is capacity used", size=sizes(8), more=sizes(8))
def an_extension_takes_what_it_adds(bench: Bench, size: int, more: int) -> None:
    """A volume that was extended counts as one that was created of its new size."""
    volume = bench.create(size + more)
    wanted = read(bench)[1]
    bench.delete(volume)
    bench.extend(bench.create(size), size + more)
    for pool, other in zip(read(bench)[1], wanted, strict=True):
        for key in ("free_capacity_gb", "provisioned_capacity_gb"):
            one, two = number(pool, key), number(other, key)
            holds(
                one is None or two is None or abs(one - two) <= SLACK_GB,
                f"{key} is {one} with an extended volume, but {two} with one that was created of its size",
            )


@law(source=f"{FILTER}: total_capacity_gb", sizes_gb=st.lists(sizes(20), min_size=1, max_size=3))
def the_total_stays_the_same(bench: Bench, sizes_gb: list[int]) -> None:
    """Volumes take from what is free, and not from the total."""
    before = [pool.get("total_capacity_gb") for pool in read(bench)[1]]
    for size in sizes_gb:
        bench.create(size)
    same("total_capacity_gb", [pool.get("total_capacity_gb") for pool in read(bench)[1]], before)


@law(
    source=f"{FILTER}: capacity reported is capacity used",
    sizes_gb=st.lists(sizes(20), min_size=1, max_size=3),
    written=contents(),
    writes=st.booleans(),
)
def what_is_deleted_is_free_again(bench: Bench, sizes_gb: list[int], written: Contents, writes: bool) -> None:
    """When volumes are deleted, free and provisioned capacity are what they were before."""
    keys = ("free_capacity_gb", "provisioned_capacity_gb", "total_capacity_gb")
    before = [{key: pool.get(key) for key in keys} for pool in read(bench)[1]]
    volumes = [bench.create(size) for size in sizes_gb]
    if writes and bench.subject.path is not None:
        bench.write(volumes[0], written)
    for volume in volumes:
        bench.delete(volume)
    same("the capacity in the end", [{key: pool.get(key) for key in keys} for pool in read(bench)[1]], before)


@law(source=f"{CONTRIBUTOR}; driver.VERSION")
def the_version_is_that_of_the_class(bench: Bench) -> None:
    """driver_version is the VERSION of the class."""
    same("driver_version", read(bench)[0].get("driver_version"), getattr(bench.subject.driver, "VERSION", None))


@law(source="cinder.volume.manager:VolumeManager.migrate_volume: location_info", stage=TwoBenches)
def two_back_ends_have_two_locations(bench: Bench) -> None:
    """Back-ends on different storage report different location_info: assisted migration tells them apart by
    it."""
    here = [pool.get("location_info") for pool in read(bench)[1]]
    other = bench.start(bench.subject.twin)
    stats = other.get_volume_stats(refresh=True)
    there = [pool.get("location_info", stats.get("location_info")) for pool in stats.get("pools") or [stats]]
    clash = [each for each in here if each is not None and each in there]
    holds(not clash, f"location_info of both back-ends is {shortened(clash)}, but should differ")


@law(
    source=f"{FILTER}: thin_provisioning_support",
    needs=["thin"],
    sizes_gb=st.lists(sizes(40), min_size=1, max_size=3),
)
def thin_volumes_take_no_space_yet(bench: Bench, sizes_gb: list[int]) -> None:
    """Where every pool provisions thinly, volumes that were not written to leave free_capacity_gb as it is."""
    before = read(bench)[1]
    if not all(pool.get("thin_provisioning_support") is True for pool in before):
        return
    for size in sizes_gb:
        bench.create(size)
    figures = [[number(pool, "free_capacity_gb") for pool in pools] for pools in (before, read(bench)[1])]
    if None in figures[0] or None in figures[1]:
        return
    taken = sum(value or 0 for value in figures[0]) - sum(value or 0 for value in figures[1])
    holds(
        taken <= 0.1 * sum(sizes_gb),
        f"free_capacity_gb shrank by {taken:.2f} GiB for empty volumes of {sum(sizes_gb)} GiB, but should not",
    )


@law(
    source="cinder.volume.driver:volume_opts: reserved_percentage, max_over_subscription_ratio",
    reserved=st.integers(0, 30),
    ratio=st.sampled_from(["1.5", "7.0", "20.0"]),
)
def what_is_configured_is_reported(bench: Bench, reserved: int, ratio: str) -> None:
    """reserved_percentage, max_over_subscription_ratio, filter_function and goodness_function of cinder.conf
    reach the scheduler, which alone reckons with them: capacities are the same."""
    bench.create(5)
    capacities = ("total_capacity_gb", "free_capacity_gb", "provisioned_capacity_gb")
    before = [[pool.get(key) for key in capacities] for pool in read(bench)[1]]
    functions = {"filter_function": "volume.size < 9", "goodness_function": "51"}
    bench.use(reserved_percentage=reserved, max_over_subscription_ratio=ratio, **functions)
    stats = bench.driver.get_volume_stats(refresh=True)
    same("the capacities", [[pool.get(key) for key in capacities] for pool in read(bench)[1]], before)
    for pool in stats.get("pools") or [stats]:
        for key in functions.keys() & pool.keys():
            same(key, pool[key], functions[key])
        same(
            "reserved_percentage",
            pool.get("reserved_percentage", stats.get("reserved_percentage", 0)),
            reserved,
        )
        said = pool.get("max_over_subscription_ratio", stats.get("max_over_subscription_ratio"))
        if pool.get("thin_provisioning_support", stats.get("thin_provisioning_support")) and said is not None:
            same("max_over_subscription_ratio", float(said), float(ratio))


@law(source="cinder.volume.manager:VolumeManager.init_host: backend_state")
def a_working_back_end_is_up(bench: Bench) -> None:
    """backend_state, where it is reported, is up while the back-end works."""
    for pool in read(bench)[1]:
        state = pool.get("backend_state", "up")
        same("backend_state", state, "up")
