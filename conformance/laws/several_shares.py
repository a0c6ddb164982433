"""A back-end that has its volumes in several places: two shares, one of them with what is there already."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import strategies as st

from conformance.bench import Bench, Lacking, TwoBenches
from conformance.contents import Contents, contents, sizes
from conformance.law import Chapter, same

law = Chapter(
    "several shares",
    level="core",
    stage=TwoBenches,
    needs=["data path", "inventory", "simulated Cinder"],
    weight=0.5,
)
SHARES = "cinder.volume.drivers.remotefs:RemoteFSDriver._load_shares_config: nfs_shares_config"


def on_two_shares(bench: Bench) -> None:
    """The driver starts with the shares of the subject and of its twin. Lacking for other back-ends."""
    if bench.plan.kind != "nfs":
        raise Lacking("the driver keeps its volumes in no shares")
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "shares"
        file.write_text("".join(f"{share}\n" for share in (*bench.plan.shares, *bench.subject.twin.shares)))
        bench.use(nas_host="", nas_share_path="", nfs_shares_config=str(file))


@law(source=SHARES, written=contents(), count=st.integers(2, 4), more=sizes(2))
def a_volume_is_found_on_its_share(bench: Bench, written: Contents, count: int, more: int) -> None:
    """Volumes of a back-end with two shares are written, extended, snapshotted, copied and deleted, wherever
    they are; one that was there before stays where it is."""
    before = bench.objects()
    volumes = [bench.create()]
    on_two_shares(bench)
    volumes += [bench.create() for _ in range(count)]
    for number, volume in enumerate(volumes):
        bench.write(volume, Contents(f"{written.writer} {number}", written.places))
    copies = []
    for volume in volumes:
        snapshot = bench.snapshot(volume)
        copies += [bench.from_snapshot(snapshot), bench.clone(volume)]
        bench.delete_snapshot(snapshot)
        bench.extend(volume, 1 + more)
    for number, volume in enumerate(volumes):
        held = Contents(f"{written.writer} {number}", written.places)
        bench.must_have_size(volume, 1 + more, "the extended volume")
        bench.must_hold(volume, held, "the extended volume", 1)
        for copied in copies[2 * number : 2 * number + 2]:
            bench.must_hold(copied, held, "a copy of the volume")
    for volume in volumes + copies:
        bench.delete(volume)
    same("the objects in the end", bench.objects(), before)


@law(source=f"{SHARES}; get_volume_stats: the sums over all", size=sizes(8))
def every_share_counts(bench: Bench, size: int) -> None:
    """A back-end of two equal shares reports twice the capacity of one, and what is provisioned on both."""
    one = bench.driver.get_volume_stats(refresh=True)
    bench.create(size)
    on_two_shares(bench)
    bench.create(size)
    two = bench.driver.get_volume_stats(refresh=True)
    same("total_capacity_gb of two shares", two["total_capacity_gb"], 2 * one["total_capacity_gb"])
    taken = two["provisioned_capacity_gb"] - one["provisioned_capacity_gb"]
    same("whether provisioned_capacity_gb grew by both volumes", round(taken) >= 2 * size, True)
