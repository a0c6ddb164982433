"""What the LVM command line costs: `lvs` of a thousand volumes should take less than 5 ms."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from fake_backends.host.paths import Host
from fake_backends.lvm.commands import execute
from fake_backends.lvm.volume_group import VolumeGroup

LVS = ["lvs", "--noheadings", "--unit=g", "-o", "vg_name,name,size", "--nosuffix", "--readonly", "vg"]


def test_lvs_of_a_thousand_volumes(benchmark: BenchmarkFixture) -> None:
    """The listing that Cinder asks for most, as it asks for it."""
    host = Host("node1")
    host.volume_groups["vg"] = group = VolumeGroup("vg", [1 << 44])
    for number in range(1000):
        group.create(f"volume-{number:08}-1111-4222-8333-0123456789ab", 1 << 30)
    result = benchmark(execute, host, LVS)
    assert len(result.stdout.splitlines()) == 1000
