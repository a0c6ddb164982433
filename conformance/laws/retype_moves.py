"""Retypes from the request to the end, in place and with a migration; encrypted volumes."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.attached import pages_written
from conformance.bench import Lacking
from conformance.contents import Contents, contents, pages_of
from conformance.law import Chapter, holds, same
from conformance.move import OWNER, Move
from fake_backends.block_store import PAGE
from fake_backends.luks.device import LuksDevice
from harness import errors
from harness.model import GIB, Encryption

law = Chapter("retypes", level="retype", stage=Move, needs=["data path"], weight=0.5)
encrypted_law = Chapter("encryption", level="encryption", stage=Move, needs=["data path"], weight=0.5)
RETYPE = "cinder.volume.manager:VolumeManager.retype"
HEADER = 32 << 20
"""More than the header of any encrypted volume takes."""
others = st.sampled_from(["twin", "lvm", "rbd", "nfs"])


def kinds(move: Move, here: str, there: str, **specs: str) -> None:
    """Types old and new, of these two back-ends."""
    for name, backend in (("old", here), ("new", there)):
        fields = {"volume_backend_name": move.plan(backend).volume_backend_name}
        move.cloud.create_type(name, extra_specs={**fields, **(specs if name == "new" else {})})


@law(source=f"{RETYPE}; LP 1452823, LP 1652802", there=others, arrives=st.booleans(), written=contents())
def a_retype_moves_record_and_data_together(move: Move, there: str, arrives: bool, written: Contents) -> None:
    """After a retype to another back-end, host, type and object agree."""
    here, there = (there, "subject") if arrives else ("subject", there)
    move.open(here, there)
    kinds(move, here, there, **{"vendor:tier": "gold"})
    before = move.objects()
    volume = move.create(here, volume_type="old")
    move.write(volume, written)
    move.retype(volume, "new", "on-demand")
    move.must_have_moved(volume, there)
    same("the type", move.volume(volume).volume_type_id, move.cloud.database.get_volume_type("new").id)
    move.must_hold(volume, written, "the retyped volume")
    move.must_be_tidy(before)


@law(
    source=f"{RETYPE}; LP 1515840",
    needs=["retype"],
    written=contents(),
    policy=st.sampled_from(["never", "on-demand"]),
    attached=st.booleans(),
)
def a_retype_in_place_copies_nothing(move: Move, written: Contents, policy: str, attached: bool) -> None:
    """Types that differ in what means nothing to the driver are changed without a copy."""
    move.open("subject")
    kinds(move, "subject", "subject", **{"vendor:tier": "gold"})
    volume = move.create("subject", volume_type="old")
    move.write(volume, written)
    server = move.attach(volume) if attached else None
    move.retype(volume, "new", policy)
    same("the type", move.volume(volume).volume_type_id, move.cloud.database.get_volume_type("new").id)
    same("whether no temporary volume was made", move.assisted(), True)
    if server is not None:
        move.guest_reads(server, volume, written, "the guest's disk")
        move.detach(server, volume)
    move.must_hold(volume, written, "the retyped volume")


@law(
    source=f"{RETYPE}: equal but for the back-end; LP 2104334",
    needs=["assisted migration", "inventory"],
    level="assisted",
    written=contents(),
    lock=st.booleans(),
)
def a_retype_for_the_back_end_alone_is_the_drivers(move: Move, written: Contents, lock: bool) -> None:
    """A driver that moves a volume for a migration also moves it for a retype that differs in the back-end's
    name."""
    move.open("subject", "twin")
    kinds(move, "subject", "twin")
    probe = move.create("subject")
    move.migrate(probe, "twin")
    if not move.assisted():
        raise Lacking("the driver does not move volumes between its back-ends by itself")
    volume = move.create("subject", volume_type="old")
    move.write(volume, written)
    move.retype(volume, "new", "on-demand")
    move.must_have_moved(volume, "twin")
    same("whether no temporary volume was made", move.assisted(), True)
    move.must_hold(volume, written, "the retyped volume")


@law(
    source="cinder.volume.api:API.migrate_volume: lock_volume",
    needs=["assisted migration"],
    level="assisted",
    written=contents(),
)
def a_locked_migration_is_the_drivers(move: Move, written: Contents) -> None:
    """A driver that moves a volume also moves one that is locked for the migration."""
    move.open("subject", "twin")
    probe = move.create("subject")
    move.migrate(probe, "twin")
    if not move.assisted():
        raise Lacking("the driver does not move volumes between its back-ends by itself")
    volume = move.create("subject")
    move.write(volume, written)
    move.migrate(volume, "twin", lock_volume=True)
    move.must_have_moved(volume, "twin")
    move.must_hold(volume, written, "the migrated volume")
    same("whether no temporary volume was made", move.assisted(), True)


def encrypted(
    move: Move, here: str, there: str, old: str | None, new: str | None, *, bound: bool = True
) -> str:
    """A volume of an encrypted (or plain) type; Lacking if the back-end makes none.

    Unless its types are `bound` to their back-ends, the volume may go anywhere.
    """
    move.open(here, there)
    for name, backend, provider in (("old", here, old), ("new", there, new)):
        specs = {"volume_backend_name": move.plan(backend).volume_backend_name} if bound else {}
        move.cloud.create_type(name, extra_specs=specs, encryption=Encryption(provider) if provider else None)
    host = move.plan(here).address
    volume = move.act(move.cloud.api.create_volume, OWNER, 1, volume_type="old", host=host)
    if move.volume(volume.id).status != "available":
        raise Lacking(f"the driver does not create volumes of a type that is encrypted with {old}")
    return str(volume.id)


@encrypted_law(
    source="cinder.volume.drivers: encrypted volumes",
    provider=st.sampled_from(["luks", "luks2"]),
    written=contents(),
)
def an_encrypted_volume_holds_its_data(move: Move, provider: str, written: Contents) -> None:
    """What is written through the encryption of Nova reads the same after detaching; the back-end has
    ciphertext."""
    volume = encrypted(move, "subject", "subject", provider, None)
    server = move.attach(volume, "writer")
    move.guest_writes(server, volume, written)
    disk = server.disks[volume]
    payload, raw = disk.device, disk.connection.disk()
    offset = payload.payload_offset if isinstance(payload, LuksDevice) else 0
    for page, data in pages_of(written, payload.size).items():
        stored = raw.read(offset + page * PAGE, PAGE)
        holds(stored != data, f"page {page} of the encrypted volume is stored as plaintext")
    move.detach(server, volume)
    server = move.attach(volume, "reader")
    move.guest_reads(server, volume, written, "the decrypted volume")
    move.detach(server, volume)


@encrypted_law(
    source="cinder.volume.drivers: encrypted volumes; cinder.volume.flows.api.create_volume: keys of copies",
    needs=["simulated Cinder", "clones", "snapshots"],
    provider=st.just("luks"),
    operation=st.sampled_from(["clone", "snapshot", "extend"]),
    more=st.integers(0, 1),
    written=contents(),
    weight=1,
)
def an_encrypted_volume_is_copied_and_extended(
    move: Move, provider: str, operation: str, more: int, written: Contents
) -> None:
    """Clones of an encrypted volume, volumes from its snapshots, and what it becomes by an extension, are read
    decrypted."""
    volume = encrypted(move, "subject", "subject", provider, None)
    server = move.attach(volume, "writer")
    size = server.disks[volume].device.size
    move.guest_writes(server, volume, written)
    move.detach(server, volume)
    if operation == "extend":
        more = 1
        move.extend(volume, 2)
    else:
        source = {"source_volid": volume}
        if operation == "snapshot":
            source = {"snapshot_id": move.act(move.cloud.api.create_snapshot, OWNER, volume).id}
        volume = move.act(move.cloud.api.create_volume, OWNER, 1 + more, **source).id
        same("the status of the copy", move.volume(volume).status, "available")
    server = move.attach(volume, "reader")
    least = size + more * GIB - HEADER
    found = server.disks[volume].device.size
    holds(found >= least, f"the decrypted volume has {found} bytes, but should have {least} at least")
    move.guest_reads(server, volume, written, "the decrypted volume", size)
    move.detach(server, volume)


@encrypted_law(
    source="cinder.volume.manager:VolumeManager._copy_volume_data: ciphertext is copied",
    provider=st.just("luks"),
    there=st.sampled_from(["lvm"]),
    written=contents(),
)
def an_encrypted_volume_migrates_whole(move: Move, provider: str, there: str, written: Contents) -> None:
    """An encrypted volume that is copied elsewhere is decrypted there to its last page."""
    volume = encrypted(move, "subject", there, provider, provider, bound=False)
    server = move.attach(volume, "writer")
    move.guest_writes(server, volume, written)
    move.detach(server, volume)
    move.migrate(volume, there, force_host_copy=True)
    move.must_have_moved(volume, there)
    server = move.attach(volume, "reader")
    move.guest_reads(server, volume, written, "the decrypted volume at its destination")
    move.detach(server, volume)


@encrypted_law(
    source="cinder.interface.volume_driver:VolumeDriverCore.migrate_volume; OPEN-RBD-LUKS-TRUNC",
    needs=["assisted migration"],
    provider=st.just("luks"),
    written=contents(),
)
def an_encrypted_volume_is_moved_whole(move: Move, provider: str, written: Contents) -> None:
    """An encrypted volume that the driver moves by itself is decrypted at its destination to its last page."""
    volume = encrypted(move, "subject", "twin", provider, provider, bound=False)
    server = move.attach(volume, "writer")
    move.guest_writes(server, volume, written)
    move.detach(server, volume)
    move.migrate(volume, "twin")
    if not move.assisted():
        raise Lacking("the driver does not move volumes between its back-ends by itself")
    move.must_have_moved(volume, "twin")
    server = move.attach(volume, "reader")
    move.guest_reads(server, volume, written, "the decrypted volume at its destination")
    move.detach(server, volume)


@encrypted_law(
    source="cinder.interface.volume_driver:VolumeDriverCore.copy_image_to_encrypted_volume",
    needs=["simulated Cinder"],
    written=contents("image"),
    provider=st.sampled_from(["luks", "luks2"]),
)
def an_image_on_an_encrypted_volume_is_read_decrypted(move: Move, written: Contents, provider: str) -> None:
    """A server reads an image that was written over an encrypted volume; the back-end has ciphertext."""
    encrypted(move, "subject", "subject", provider, None)
    plain = move.create("subject")
    move.write(plain, written)
    image = move.act(move.cloud.api.upload_image, OWNER, plain, "image")
    host = move.plan("subject").address
    volume = move.act(move.cloud.api.create_volume, OWNER, 2, volume_type="old", host=host).id
    move.act(move.cloud.api.reimage, OWNER, volume, image.id)
    move.must_be_at_rest(volume, "available")
    server = move.attach(volume, "reader")
    move.guest_reads(server, volume, written, "the encrypted volume with the image", GIB)
    raw = server.disks[volume].connection.disk()
    shown = set(pages_of(written, GIB).values()) & {data for _, data in pages_written(raw)}
    holds(not shown, "the image is stored as plaintext on the encrypted volume")


@encrypted_law(
    source="cinder.volume.manager:VolumeManager.delete_volume",
    needs=["inventory"],
    provider=st.sampled_from(["luks", "luks2"]),
)
def an_encrypted_volume_leaves_nothing(move: Move, provider: str) -> None:
    """Deleting an encrypted volume leaves no object and no key."""
    volume = encrypted(move, "subject", "subject", provider, None)
    try:
        move.delete(volume)
    except errors.ServiceError as error:
        raise AssertionError(str(error)) from error
    same("the objects in the end", sum(map(len, move.objects().values())), 0)
    same("the keys in the end", sorted(move.cloud.key_manager.keys), [])
