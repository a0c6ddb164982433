"""What the scheduler knows of a pool is as old as the service's last report."""

from __future__ import annotations

from tests.harness.control_plane.conftest import SECOND_US, Lab


def known_free(lab: Lab, backend: str = "lvm-a") -> float:
    """GiB that the scheduler takes for free."""
    address = lab.address(backend)
    free: float = next(pool.free_capacity_gb for pool in lab.cloud.scheduler.pools() if pool.address == address)
    return free


def free(lab: Lab, backend: str = "lvm-a") -> float:
    """GiB that are free."""
    stats = lab.manager(backend).driver.get_volume_stats(refresh=True)
    pool = (stats.get("pools") or [stats])[0]
    return float(pool["free_capacity_gb"])


def test_the_scheduler_learns_of_a_change_a_minute_later(lab: Lab) -> None:
    """A volume that is placed directly is not counted before the next report."""
    before = known_free(lab)
    lab.volume("lvm-a", size=5)
    assert free(lab) == before - 5
    assert known_free(lab) == before, "not yet reported"
    lab.kernel.sleep(60 * SECOND_US)
    assert known_free(lab) == before - 5


def test_a_report_shows_what_was_there_when_it_was_made(lab: Lab) -> None:
    """What has changed since the last full minute is not in it, although nobody asked before."""
    before = known_free(lab)
    lab.kernel.sleep(61 * SECOND_US)
    lab.volume("lvm-a", size=5)
    lab.kernel.sleep(30 * SECOND_US)
    assert known_free(lab) == before
    lab.kernel.sleep(30 * SECOND_US)
    assert known_free(lab) == before - 5


def test_a_deletion_is_reported_at_once(lab: Lab) -> None:
    """`VolumeManager.delete_volume` publishes; a creation does not."""
    volume = lab.volume("lvm-a", size=5)
    lab.kernel.sleep(60 * SECOND_US)
    before = known_free(lab)
    lab.act(lab.api.delete_volume, lab.owner, volume.id)
    assert known_free(lab) == before + 5


def test_a_dead_service_reports_nothing(lab: Lab) -> None:
    """The scheduler believes it for as long as it seems to be up, and forgets it then."""
    before = known_free(lab)
    lab.volume("lvm-a", size=5)
    lab.cloud.stop("lvm-a")
    lab.kernel.sleep(50 * SECOND_US)
    assert known_free(lab) == before
    lab.kernel.sleep(11 * SECOND_US)
    assert lab.address("lvm-a") not in [pool.address for pool in lab.cloud.scheduler.pools()]


def test_what_the_scheduler_promised_is_forgotten_with_the_next_report(lab: Lab) -> None:
    """A volume that it has placed counts at once; one that then failed counts until the report."""
    lab.fail("driver.create_volume")
    addresses = {pool.address: pool.free_capacity_gb for pool in lab.cloud.scheduler.pools()}
    lab.act(lab.api.create_volume, lab.owner, 7)
    host = next(row["host"] for row in lab.database.volumes.values())
    backend = host.partition("@")[2].partition("#")[0]
    assert known_free(lab, backend) == addresses[host] - 7
    lab.kernel.sleep(60 * SECOND_US)
    assert known_free(lab, backend) == addresses[host]
