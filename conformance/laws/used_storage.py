"""Storage on which others have written before, and which nobody has cleared (`volume_clear` is none).

What an operator allows for new volumes must not happen to copies: they read as what they are copies of, also
where nothing was ever written.
"""

from __future__ import annotations

from conformance.bench import Bench
from conformance.contents import Contents, contents, sizes
from conformance.law import Chapter, same
from fake_backends.block_store import CHUNK, PAGE
from harness.model import Volume

law = Chapter("used storage", level="core", stage=Bench, needs=["data path"])
COPY = "cinder.volume.volume_utils:copy_volume: conv=sparse leaves out what is zero"


def litter(bench: Bench, size: int, count: int = 3) -> None:
    """Write to all parts of volumes that are then deleted, one after the other in the storage."""
    former = [bench.create(size) for _ in range(count)]
    for number, volume in enumerate(former):
        attached = bench.attach(volume)
        for chunk in range(0, attached.size // CHUNK, 8):
            attached.write({chunk * CHUNK // PAGE: bytes([1 + number]) * PAGE})
        bench.detach(attached)
    for volume in former:
        bench.delete(volume)


def contents_of(bench: Bench, volume: Volume) -> dict[int, bytes]:
    """Every page of a volume that is not zero."""
    attached = bench.attach(volume)
    pages = dict(attached.everything())
    bench.detach(attached)
    return pages


@law(source=COPY, needs=["clones"], size=sizes(2), written=contents())
def a_clone_reads_as_its_source(bench: Bench, size: int, written: Contents) -> None:
    """A clone reads as its source, and is no mixture of it and what was there before."""
    bench.use(volume_clear="none")
    volume = bench.create(size)
    litter(bench, size)
    bench.write(volume, written)
    wanted = contents_of(bench, volume)
    same("whether the clone reads as its source", contents_of(bench, bench.clone(volume)) == wanted, True)


@law(source=COPY, needs=["snapshots"], size=sizes(2), written=contents())
def a_volume_from_a_snapshot_reads_as_it(bench: Bench, size: int, written: Contents) -> None:
    """A volume from a snapshot reads as the snapshot, and is no mixture of it and what was there before."""
    bench.use(volume_clear="none")
    volume = bench.create(size)
    litter(bench, size)
    bench.write(volume, written)
    wanted = contents_of(bench, volume)
    made = bench.from_snapshot(bench.snapshot(volume))
    same("whether the volume reads as the snapshot", contents_of(bench, made) == wanted, True)


@law(
    source="cinder.volume.manager:VolumeManager._copy_volume_data: sparse_copy_volume",
    needs=["sparse copy"],
    size=sizes(3),
)
def a_sparse_destination_reads_zero(bench: Bench, size: int) -> None:
    """sparse_copy_volume promises that what was never written reads zero, even where others wrote before."""
    bench.use(volume_clear="none")
    litter(bench, size, count=1)
    same("the pages of a fresh volume that are not zero", list(contents_of(bench, bench.create(size))), [])
