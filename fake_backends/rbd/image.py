"""RBD images: content in objects of 4 MiB, snapshots, parents, features, and the clients that hold them open.

Content is shared, never copied: a snapshot or a clone takes a new mapping to the same chunks. Space is
counted in whole objects, once for every version of an object that is stored: an image stores what was
written to it, a snapshot keeps the old version of what was written after it, and a clone stores nothing
until it is written to or flattened. Errors carry librbd's errno.
"""

from __future__ import annotations

import errno
import uuid
from bisect import bisect_right
from typing import TYPE_CHECKING

from fake_backends.block_store import CHUNK, EMPTY, PAGE, Chunk, chunks_between
from fake_backends.files.names import check_text
from fake_backends.rbd import features as feature_bits
from fake_backends.rbd import written
from fake_backends.rbd.layers import Layer, Parent, ReadOnlyImage, Snapshot
from fake_backends.rbd.objects import Store
from fake_backends.rbd.traits import Traits
from harness.errors import AlreadyExists, Busy, InvalidArgument, NotFound, StorageError

if TYPE_CHECKING:
    from fake_backends.rbd.handle import ImageHandle
    from fake_backends.rbd.pool import Pool

OPERATION_US = 10_000


class Image:
    """An image of a pool. `watchers` are the handles that have it open read-write, oldest first.

    `metadata` are key/value pairs; a configuration option such as ``rbd_qos_iops_limit`` is kept under its
    name with ``conf_`` before it. `lock_kept` is True while the owner of the exclusive lock does not hand it
    over.
    """

    def __init__(
        self, pool: Pool, image_id: str, name: str, size: int, features: int, order: int, store: Store
    ) -> None:
        self.pool = pool
        self.store = store
        self.id = image_id
        self.name = name
        self.order = order
        self.head = Layer(size, store.objects())
        self.snapshots: list[Snapshot] = []
        self.metadata: dict[str, str] = {}
        self.watchers: list[ImageHandle] = []
        self.lock_owner: ImageHandle | None = None
        self.lock_kept = False
        self.traits = Traits()
        self.base_features = features
        self.last_snapshot_id = 3
        self._counted = 0
        self._unsaved = False

    def __repr__(self) -> str:
        return f"<Image {self.path}>"

    @property
    def path(self) -> str:
        """``pool/image``."""
        return f"{self.pool.name}/{self.name}"

    @property
    def size(self) -> int:
        """Bytes."""
        return self.head.size

    @property
    def features(self) -> int:
        """Feature bits, OPERATIONS included while an operation feature is in use."""
        return self.base_features | (feature_bits.OPERATIONS if self.op_features else 0)

    @property
    def op_features(self) -> int:
        """Operation feature bits: clones of format 2, and snapshots that wait for them to go."""
        bits = 0
        for snapshot in self.snapshots:
            if any(child.clone_format == 2 for child in snapshot.children):
                bits |= feature_bits.OP_CLONE_PARENT
            if snapshot.trashed_from is not None:
                bits |= feature_bits.OP_SNAP_TRASH
        if self.clone_format == 2:
            bits |= feature_bits.OP_CLONE_CHILD
        if self.traits.group:
            bits |= feature_bits.OP_GROUP
        return bits

    @property
    def stripe_unit(self) -> int:
        """Bytes that lie in one object before the next one's turn comes."""
        return self.traits.stripe_unit or 1 << self.order

    @property
    def object_count(self) -> int:
        """Objects of 2^order bytes that the image could have; 64 bits, as librbd counts."""
        return (self.size + (1 << self.order) - 1) % (1 << 64) >> self.order

    @property
    def clone_format(self) -> int:
        """1 or 2 for a clone, 0 for an image without a parent (anywhere in its snapshots)."""
        parent = next((layer.parent for layer in self._layers() if layer.parent), None)
        return parent.clone_format if parent else 0

    @property
    def parent(self) -> Parent | None:
        """The parent of the image as it is now."""
        return self.head.parent

    # ------------------------------------------------------------------------------------------- space

    def used_objects(self) -> int:
        """Objects stored for the image and its snapshots, counted afresh."""
        used = len(self.head.own)
        for snapshot in self.snapshots:
            used += snapshot.own.common(snapshot.changed)
        return used

    def recount(self) -> None:
        """Tell the pool how much the image stores now."""
        counted = self.used_objects()
        self.pool.account(counted - self._counted)
        self._counted = counted

    def write(self, number: int, chunk: Chunk) -> None:
        """Store one object; NoSpace if the pool has no room for it."""
        self._make_room(number)
        self.head.chunks.put(number, chunk)
        self._note_write(number * CHUNK, (number + 1) * CHUNK)

    def patch(self, number: int, start: int, data: bytes) -> None:
        """Write inside one object; NoSpace if the pool has no room for it."""
        written.copy_up(self, number)
        self._make_room(number)
        self.head.chunks.patch(number, start, data)
        self._note_write(number * CHUNK + start, number * CHUNK + start + len(data))

    def discard(self, first: int, last: int) -> None:
        """Let bytes first <= n < last read zero. Objects that go as a whole give their space back."""
        head = self.head
        for number in range(first // CHUNK, -(-last // CHUNK)):
            start, end = max(first - number * CHUNK, 0), min(last - number * CHUNK, CHUNK)
            if number not in head.own and number not in head.inherited:
                continue
            whole = start == 0 and (end == CHUNK or last >= self.size)
            if whole and number not in head.inherited:
                self._changed(number, number + 1)
                head.own.remove(number, number + 1)
                head.chunks.put(number, EMPTY)
                self.recount()
                continue
            if not whole:
                written.copy_up(self, number)
            self._make_room(number)
            if whole:
                head.chunks.put(number, EMPTY)
            else:
                head.chunks.patch(number, start, bytes(end - start))
        written.note_discard(self, first, last)
        self._unsaved = True

    def _note_write(self, first: int, last: int) -> None:
        written.note_write(self, first, last)
        self._unsaved = True

    def _make_room(self, number: int) -> None:
        if number not in self.head.own or (self.snapshots and number not in self.snapshots[-1].changed):
            self._allocate(number, number + 1)

    def allocate(self, first: int, last: int) -> None:
        """Count objects first <= n < last as written.

        NoSpace if the pool has no room for all of them; `written` then counts the bytes of those in front
        that were.
        """
        self._allocate(first, last)
        self._note_write(first * CHUNK, last * CHUNK)

    def _allocate(self, first: int, last: int) -> None:
        last = min(last, -(-self.head.size // CHUNK))
        room = self.pool.free_objects()
        fitting = last
        if last - first > room and self._new_objects(first, last) > room:
            lengths = range(last - first)
            fitting = first - 1 + bisect_right(lengths, room, key=lambda n: self._new_objects(first, first + n))
        if first < fitting:
            self.head.own.add(first, fitting)
            self.head.inherited.remove(first, fitting)
            self._changed(first, fitting)
            self.recount()
        if fitting < last:
            raise self.pool.no_space(written=(fitting - first) * CHUNK)

    def _new_objects(self, first: int, last: int) -> int:
        """Objects that writing first <= n < last would add."""
        new = last - first - len(self.head.own.between(first, last))
        if self.snapshots:
            shared = self.snapshots[-1].own.between(first, last)
            shared.difference_update(self.snapshots[-1].changed)
            new += len(shared)
        return new

    def _changed(self, first: int, last: int) -> None:
        if self.snapshots:
            self.snapshots[-1].changed.add(first, last)

    # ------------------------------------------------------------------------------------------ the image

    def save(self) -> None:
        """What the image is now is what it will be found as, if the process is killed."""
        self._unsaved = False
        self.store.save(self)

    def flush(self) -> None:
        """Save what was allocated without a write of data. Data itself needs no flush."""
        if self._unsaved:
            self.save()

    def resize(self, size: int) -> None:
        """Set the size in bytes. Clients that have it open see it at once; a smaller image loses data."""
        self._visit("resize", f"resize {self.path} {size_option(size)}")
        head = self.head
        if size < head.size:
            self._cut(size)
        head.size = size
        head.overlap = min(head.overlap, size)
        for handle in self.watchers:
            handle.follow_resize()
        self.recount()
        self.save()

    def _cut(self, size: int) -> None:
        """Drop everything at and behind byte `size`."""
        head = self.head
        written.note_cut(self, size, head.size)
        inside = size % CHUNK
        boundary = size // CHUNK
        first_gone = boundary + (1 if inside else 0)
        old_count = -(-head.size // CHUNK)
        for number in chunks_between(head.chunks, first_gone, old_count):
            del head.chunks[number]
        head.own.remove(first_gone, old_count)
        head.inherited.remove(first_gone, old_count)
        if inside and boundary in head.chunks:
            chunk = first_bytes(head.chunks[boundary], inside)
            if chunk:
                head.chunks[boundary] = chunk
            else:
                del head.chunks[boundary]
        self._changed(boundary, old_count)

    def set_features(self, bits: int, enabled: bool) -> None:
        """Switch features on or off. InvalidArgument where librbd refuses: all `bits` have to change."""
        state = "enable" if enabled else "disable"
        self._visit("feature", f"feature {state} {self.path} {bits:#x}")
        after = feature_bits.switched(self.base_features, bits, enabled)
        if self.traits.mirror_id and not enabled and bits & feature_bits.JOURNALING:
            raise InvalidArgument(f"RBD invalid argument (error updating features for image {self.name})")
        new_maps = after & ~self.base_features & feature_bits.MAPS
        if new_maps:
            # The map of an image that may have objects is built later.
            self.traits.flags = feature_bits.MAPS_INVALID
        if not after & feature_bits.OBJECT_MAP:
            self.traits.flags = 0
        self.base_features = after
        if not after & feature_bits.EXCLUSIVE_LOCK:
            self.give_up_lock()
        self.save()

    def metadata_set(self, key: str, value: str) -> None:
        """Note a value under a key."""
        self._visit("metadata", f"image-meta set {self.path} {key} {value}")
        self.metadata[key] = value
        self.save()

    def config_set(self, option: str, value: str) -> None:
        """Override a configuration option for this image."""
        self._visit("config", f"config image set {self.path} {option} {value}")
        self.metadata[f"conf_{option}"] = value
        self.save()

    def config_remove(self, option: str) -> None:
        """Drop an override. NotFound if there is none."""
        self._visit("config", f"config image remove {self.path} {option}")
        if self.metadata.pop(f"conf_{option}", None) is None:
            raise NotFound(f"RBD image not found (error removing config {option} of image {self.name})")
        self.save()

    def give_up_lock(self) -> None:
        """Nobody has the exclusive lock any more."""
        self.lock_owner = None
        self.lock_kept = False

    # ------------------------------------------------------------------------------------------ snapshots

    def snapshot(self, name: str) -> Snapshot:
        """The snapshot of that name. Raises NotFound."""
        for snapshot in self.snapshots:
            if snapshot.name == name:
                return snapshot
        raise NotFound(f"RBD image not found (no snapshot {name} of image {self.name})")

    def create_snapshot(self, name: str) -> Snapshot:
        """Freeze the image as it is now. AlreadyExists."""
        self._visit("snap_create", f"snap create {self.path}@{name}")
        if any(snapshot.name == name for snapshot in self.snapshots):
            raise AlreadyExists(f"RBD image already exists (error creating snapshot {name} from {self.name})")
        limit = self.traits.snapshot_limit
        if limit is not None and len(self.snapshots) >= limit:
            raise StorageError(
                f"RBD disk quota exceeded (error creating snapshot {name} from {self.name})", errno=errno.EDQUOT
            )
        self.last_snapshot_id += 1
        snapshot = Snapshot(self.last_snapshot_id, name, self.head)
        snapshot.created_s = self.pool.cluster.now_s()
        self.snapshots.append(snapshot)
        self.save()
        return snapshot

    def rename_snapshot(self, name: str, new_name: str) -> None:
        """Rename, protected or not. NotFound, AlreadyExists."""
        self._visit("snap_rename", f"snap rename {self.path}@{name} {self.path}@{new_name}")
        snapshot = self.snapshot(name)
        if any(other.name == new_name for other in self.snapshots):
            raise AlreadyExists(f"RBD image already exists (error renaming snapshot {name} of {self.name})")
        snapshot.name = new_name
        self.save()

    def protect_snapshot(self, name: str) -> None:
        """Protect from removal. NotFound, Busy if it is protected, ENOSYS without the layering feature."""
        self._visit("snap_protect", f"snap protect {self.path}@{name}")
        snapshot = self.snapshot(name)
        if not self.base_features & feature_bits.LAYERING:
            raise StorageError(
                f"RBD function not supported (error protecting snapshot {self.name}@{name})",
                errno=errno.ENOSYS,
            )
        if snapshot.protected:
            raise Busy(f"RBD image is busy (error protecting snapshot {self.name}@{name})")
        snapshot.protected = True
        self.save()

    def unprotect_snapshot(self, name: str) -> None:
        """NotFound; InvalidArgument if it is not protected; Busy if it has clones of format 1."""
        self._visit("snap_unprotect", f"snap unprotect {self.path}@{name}")
        snapshot = self.snapshot(name)
        if not snapshot.protected:
            raise InvalidArgument(f"RBD invalid argument (error unprotecting snapshot {self.name}@{name})")
        if any(child.clone_format == 1 for child in snapshot.children):
            raise Busy(f"RBD image is busy (error unprotecting snapshot {self.name}@{name})")
        snapshot.protected = False
        self.save()

    def remove_snapshot(self, name: str) -> None:
        """NotFound; Busy if it is protected. With clones of format 2 it goes to the trash namespace."""
        self._visit("snap_remove", f"snap rm {self.path}@{name}")
        snapshot = self.snapshot(name)
        if snapshot.protected:
            raise Busy(f"RBD image is busy (error removing snapshot {name} from {self.name})")
        if snapshot.children:
            snapshot.trashed_from = name
            snapshot.name = str(uuid.uuid5(uuid.UUID(self.pool.cluster.fsid), f"{self.id}/{snapshot.id}"))
            self.save()
        else:
            self.drop_snapshot(snapshot)

    def drop_snapshot(self, snapshot: Snapshot) -> None:
        """Remove a snapshot that has no clones."""
        index = self.snapshots.index(snapshot)
        del self.snapshots[index]
        if index:
            self.snapshots[index - 1].changed.update(snapshot.changed)
            self.snapshots[index - 1].written.update(snapshot.written)
        # A reader that still has it open sees nothing any more.
        snapshot.chunks.clear()
        snapshot.removed = True
        parent, snapshot.parent = snapshot.parent, None
        self.recount()
        self.save()
        self.release(parent)

    def rollback(self, name: str, *, by: ImageHandle | None = None) -> None:
        """Make the image what it was, its size included.

        NotFound; ReadOnlyImage if another client than `by` holds the exclusive lock.
        """
        self._visit("snap_rollback", f"snap rollback {self.path}@{name}")
        if self.lock_owner is not None and self.lock_owner is not by:
            raise ReadOnlyImage(f"RBD read-only image (error rolling back {self.name} to snapshot {name})")
        snapshot = self.snapshot(name)
        for later in self.snapshots[self.snapshots.index(snapshot) : -1]:
            self.snapshots[-1].changed.update(later.changed)
            self.snapshots[-1].written.update(later.written)
        parent = self.head.parent
        self.head.take(snapshot)
        if parent is None and self.head.parent is not None:
            # The image was flattened since: what it saw through the parent is now stored.
            self.head.filled.update(written.seen_of_parent(self.head))
            self.head.adopt_inherited()
        for handle in self.watchers:
            handle.follow_resize()
        self.recount()
        self.save()

    # -------------------------------------------------------------------------------------------- clones

    def children(self, name: str | None = None) -> list[Image]:
        """The clones of one snapshot, or of all; those in the trash are left out. NotFound."""
        snapshots = self.snapshots if name is None else [self.snapshot(name)]
        children = [child for snapshot in snapshots for child in snapshot.children if not child.trashed]
        return sorted(children, key=lambda child: (child.pool.name, child.name))

    @property
    def trashed(self) -> bool:
        """True while the image is in its pool's trash."""
        return self.id in self.pool.trash

    def become_clone(self, parent: Parent) -> None:
        """Show what the parent's snapshot shows. For `Pool.clone`."""
        snapshot = parent.snapshot
        head = self.head
        head.chunks.share(snapshot.chunks)
        head.inherited = snapshot.visible()
        head.overlap = snapshot.size
        head.parent = parent
        self.metadata = dict(parent.image.metadata)
        snapshot.children.append(self)
        self.save()

    def take(self, layer: Layer) -> None:
        """Store what a layer of another image shows, the size included. NoSpace. For `Pool.deep_copy`."""
        head = self.head
        self._changed(0, -(-max(head.size, layer.size) // CHUNK))
        self.pool.require(len(layer.visible()))
        head.size = layer.size
        head.chunks.share(layer.chunks)
        head.chunks.adopt()
        head.own = layer.visible()
        if self.snapshots:
            self.snapshots[-1].written.update(layer.filled)
        head.filled = written.seen(layer)
        self.recount()

    def flatten(self) -> None:
        """Store what is seen through the parent. InvalidArgument without a parent; NoSpace."""
        self._visit("flatten", f"flatten {self.path}")
        parent = self.head.parent
        if parent is None:
            raise InvalidArgument(f"RBD invalid argument (error flattening {self.name})")
        layers = self._layers() if self.base_features & feature_bits.DEEP_FLATTEN else [self.head]
        self.pool.require(len(self.head.inherited))
        for layer in layers:
            layer.filled.update(written.seen_of_parent(layer))
            layer.adopt_inherited()
        self.recount()
        self.save()
        self.release(parent)

    def release(self, parent: Parent | None) -> None:
        """The parent may forget the image if no layer of it depends on it any more."""
        if parent is None or any(layer.parent is parent for layer in self._layers()):
            return
        snapshot = parent.snapshot
        snapshot.children.remove(self)
        if snapshot.trashed_from is not None and not snapshot.children:
            parent.image.drop_snapshot(snapshot)

    # ------------------------------------------------------------------------------------------- insides

    def destroy(self) -> None:
        """Without snapshots: free the space and the parent; who still reads the image sees zeros."""
        self.store.remove()
        self.pool.account(-self._counted)
        self._counted = 0
        self.head.chunks.clear()
        parent, self.head.parent = self.head.parent, None
        self.release(parent)

    def _layers(self) -> list[Layer]:
        return [self.head, *self.snapshots]

    def _visit(self, point: str, command: str) -> None:
        if self.pool.home is not None:
            check_text(command)
        self.pool.cluster.points.visit(f"rbd.{point}", f"rbd {command}", cost_us=OPERATION_US)


def first_bytes(chunk: Chunk, length: int) -> Chunk:
    """The first `length` bytes of a chunk; the rest becomes zero."""
    pages = {index: page for index, page in chunk.items() if (index + 1) * PAGE <= length}
    index, inside = divmod(length, PAGE)
    cut = chunk[index][:inside].ljust(PAGE, b"\0") if inside and index in chunk else b""
    if any(cut):
        pages[index] = cut
    return pages


def size_option(size: int) -> str:
    """``--size`` as the rbd command takes it: MiB, or bytes where they are no whole MiB."""
    mib, rest = divmod(size, 1 << 20)
    return f"--size {mib}" if rest == 0 else f"--size {size}B"
