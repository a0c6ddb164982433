"""Images by name, as qemu-img opens and makes them: files and devices of a machine, and images of Ceph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from fake_backends import luks
from fake_backends.block_store import BlockDevice, RegularFile
from fake_backends.host.paths import Host
from fake_backends.host.qemu_img_call import Call, Failure, check_format
from fake_backends.host.rbd_protocol import PREFIX, Location, RbdFailure, create_image, open_image
from fake_backends.lvm.host import close_device
from fake_backends.nfs import qcow2
from fake_backends.nfs.chains import open_chain
from fake_backends.nfs.qcow2 import Qcow2Image
from fake_backends.rbd.bindings import Modules
from harness.errors import InvalidArgument, NoSpace, NotFound, StorageError


class Images:
    """What the names of images lead to on `host`. `bindings` are for those that begin with ``rbd:``."""

    def __init__(self, host: Host, bindings: Modules | None = None) -> None:
        self.host = host
        self._bindings = bindings

    # --------------------------------------------------------------------------------------------- opening

    @contextmanager
    def device(self, name: str) -> Iterator[BlockDevice]:
        """The bytes of an image, open for as long as the block lasts. Failure."""
        if name.startswith(PREFIX):
            with self._image_of_ceph(name) as image:
                yield image
            return
        if not self.host.exists(name):
            raise Failure(f"Could not open '{name}': Could not open '{name}': No such file or directory")
        with self.host.opened(name) as device:
            yield device

    @contextmanager
    def qcow2(self, path: str) -> Iterator[Qcow2Image]:
        """A qcow2 image without what is under it. Failure if it is none."""
        file = self.host.file(path)
        try:
            if file is None:
                raise InvalidArgument("Image is not in qcow2 format")
            yield Qcow2Image(file)
        except InvalidArgument as error:
            raise Failure(f"Could not open '{path}': {error}") from None
        finally:
            if file is not None:
                close_device(file)

    @contextmanager
    def chain(self, path: str, format: str) -> Iterator[BlockDevice]:
        """The disk of an image with all that is under it. Failure."""
        with ExitStack() as stack:
            try:
                disk = open_chain(lambda name: stack.enter_context(self.host.opened(name)), path, format)
            except (InvalidArgument, NotFound) as error:
                raise Failure(f"Could not open '{path}': {error}") from None
            yield disk

    @contextmanager
    def disk(self, shown: str, call: Call, options: dict[str, str]) -> Iterator[BlockDevice]:
        """The virtual disk that a command reads, decrypted if it is one of LUKS. Failure, with `shown` as name.

        `options` are those of the image, as ``--image-opts`` has them.
        """
        path = options.get("file.filename", options.get("filename", ""))
        with self.device(path) as device:
            found = self.format(path, device, options.get("driver", call.values.get("-f")))
            if found == "raw":
                yield device
            elif found == "qcow2":
                with self.chain(path, "qcow2") as disk:
                    yield disk
            else:
                yield self._decrypted(shown, device, call, options)

    @staticmethod
    def _decrypted(shown: str, device: BlockDevice, call: Call, options: dict[str, str]) -> BlockDevice:
        try:
            return luks.LuksDevice(device, call.key(options))
        except Failure as failure:
            raise Failure(f"Could not open '{shown}': {failure}") from None
        except InvalidArgument:
            raise Failure(f"Could not open '{shown}': Volume is not in LUKS format") from None
        except StorageError:
            raise Failure(f"Could not open '{shown}': Invalid password, cannot unlock any keyslot") from None

    @contextmanager
    def _image_of_ceph(self, name: str) -> Iterator[BlockDevice]:
        if self._bindings is None:
            raise Failure(f"Could not open '{name}': Unknown protocol 'rbd'")
        try:
            device = open_image(self._bindings, Location.parse(name))
        except RbdFailure as failure:
            raise Failure(f"Could not open '{name}': {failure}") from None
        try:
            yield device
        finally:
            device.close()

    @staticmethod
    def format(path: str, device: BlockDevice, wanted: str | None) -> str:
        """The format asked for, or what the content looks like. LUKS2 is none that QEMU knows. Failure."""
        found = "luks" if luks.provider_of(device) == "luks" else "raw"
        if isinstance(device, RegularFile) and qcow2.is_qcow2(device):
            found = "qcow2"
        if wanted is None:
            return found
        check_format(wanted, f"Could not open '{path}': Unknown driver")
        if wanted == "luks" != found:
            raise Failure(f"Could not open '{path}': Volume is not in LUKS format")
        if wanted == "qcow2" != found:
            raise Failure(f"Could not open '{path}': Image is not in qcow2 format")
        return wanted

    # ---------------------------------------------------------------------------------------------- making

    def make(self, call: Call, path: str, format: str, size: int) -> None:
        """A new raw or LUKS image for `size` bytes; a device is used as it is. Failure."""
        if format == "raw":
            if self._is_made(path):
                self._new_file(path, size)
            return
        key = call.key(call.options)
        algorithm = call.options.get("cipher-alg", "aes-256")
        bits = {"aes-128": 128, "aes-256": 256}.get(algorithm)
        if bits is None:
            raise Failure(f"Parameter 'cipher-alg' does not accept value '{algorithm}'")
        mode, generator = call.options.get("cipher-mode", "xts"), call.options.get("ivgen-alg", "plain64")
        if mode != "xts":
            raise Failure(f"Parameter 'cipher-mode' does not accept value '{mode}'")
        offset = luks.QEMU_IMG_OFFSET[bits]
        if self._is_made(path):
            self._new_file(path, size + offset)
        with self.device(path) as device:
            luks.format(
                device,
                provider="luks",
                key=key,
                key_size=2 * bits,
                cipher=f"aes-{mode}-{generator}",
                payload_offset=offset,
                salt=self.host.ids.uuid().encode(),
            )

    def make_qcow2(
        self,
        path: str,
        size: int,
        *,
        preallocated: bool = False,
        backing: str | None = None,
        backing_format: str | None = None,
    ) -> None:
        """A new qcow2 image, over `backing`, if given. Failure."""
        if self.host.is_device(path):
            raise Failure("only files are known to hold qcow2 images")
        self._new_file(path, 0)
        file = self.host.file(path)
        assert file is not None
        try:
            qcow2.create(file, size, preallocated=preallocated, backing=backing, backing_format=backing_format)
        except NoSpace as error:
            raise Failure(str(error)) from error
        finally:
            close_device(file)

    def _is_made(self, path: str) -> bool:
        """Whether making an image makes a file, too."""
        return not self.host.exists(path) or self.host.is_file(path)

    def _new_file(self, path: str, size: int) -> None:
        if path.startswith(PREFIX):
            if self._bindings is None:
                raise Failure("Unknown protocol 'rbd'")
            try:
                create_image(self._bindings, Location.parse(path), size)
            except RbdFailure as failure:
                raise Failure(str(failure)) from None
            return
        try:
            close_device(self.host.create(path, size))
        except NotFound:
            raise Failure(f"Could not create '{path}': No such file or directory") from None
