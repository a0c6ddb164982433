"""The exceptions of `rbd`, with the texts of 16.2.15.

All derive from `Error`, none from the builtin classes of the same names.
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Mapping


class Error(Exception):
    """The root of the tree."""

    __module__ = "rbd"


class OSError(Error):
    """What librbd returned a number for. `errno` is None where the binding itself refuses."""

    __module__ = "rbd"
    text = "%s"

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(self.text % message)
        self.errno = errno

    def __str__(self) -> str:
        text = super().__str__()
        return text if self.errno is None else f"[errno {self.errno}] {text}"


class ArgumentOutOfRange(OSError):
    __module__ = "rbd"
    text = "RBD arguments out of range (%s)"


class ConnectionShutdown(OSError):
    __module__ = "rbd"
    text = "RBD connection was shutdown (%s)"


class DiskQuotaExceeded(OSError):
    __module__ = "rbd"
    text = "RBD disk quota exceeded (%s)"


class FunctionNotSupported(OSError):
    __module__ = "rbd"
    text = "RBD function not supported (%s)"


class IOError(OSError):
    __module__ = "rbd"
    text = "RBD I/O error (%s)"


class ImageBusy(OSError):
    __module__ = "rbd"
    text = "RBD image is busy (%s)"


class ImageExists(OSError):
    __module__ = "rbd"
    text = "RBD image already exists (%s)"


class ImageHasSnapshots(OSError):
    __module__ = "rbd"
    text = "RBD image has snapshots (%s)"


class ImageNotFound(OSError):
    __module__ = "rbd"
    text = "RBD image not found (%s)"


class IncompleteWriteError(OSError):
    __module__ = "rbd"
    text = "RBD incomplete write (%s)"


class InvalidArgument(OSError):
    __module__ = "rbd"
    text = "RBD invalid argument (%s)"


class LogicError(OSError):
    __module__ = "rbd"
    text = "RBD logic error (%s)"


class NoSpace(OSError):
    __module__ = "rbd"
    text = "RBD insufficient space available (%s)"


class ObjectExists(OSError):
    __module__ = "rbd"
    text = "RBD object already exists (%s)"


class ObjectNotFound(OSError):
    __module__ = "rbd"
    text = "RBD object not found (%s)"


class OperationCanceled(OSError):
    __module__ = "rbd"
    text = "RBD operation canceled (%s)"


class OperationNotSupported(OSError):
    __module__ = "rbd"
    text = "RBD operation not supported (%s)"


class PermissionError(OSError):
    __module__ = "rbd"
    text = "RBD permission error (%s)"


class ReadOnlyImage(OSError):
    __module__ = "rbd"
    text = "RBD read-only image (%s)"


class Timeout(OSError):
    __module__ = "rbd"
    text = "RBD operation timeout (%s)"


_CLASSES: Mapping[int, type[OSError]] = {
    _errno.EPERM: PermissionError,
    _errno.ENOENT: ImageNotFound,
    _errno.EIO: IOError,
    _errno.ENOSPC: NoSpace,
    _errno.EEXIST: ImageExists,
    _errno.EINVAL: InvalidArgument,
    _errno.EROFS: ReadOnlyImage,
    _errno.EBUSY: ImageBusy,
    _errno.ENOTEMPTY: ImageHasSnapshots,
    _errno.ENOSYS: FunctionNotSupported,
    _errno.EDOM: ArgumentOutOfRange,
    _errno.ESHUTDOWN: ConnectionShutdown,
    _errno.ETIMEDOUT: Timeout,
    _errno.EDQUOT: DiskQuotaExceeded,
    _errno.EOPNOTSUPP: OperationNotSupported,
    _errno.ECANCELED: OperationCanceled,
}
_OF_GROUPS: Mapping[int, type[OSError]] = {
    **_CLASSES,
    _errno.ENOENT: ObjectNotFound,
    _errno.EEXIST: ObjectExists,
}


def by_errno(number: int, message: str, *, of_group: bool = False) -> OSError:
    """The exception that the binding raises for an error number; groups have two of their own."""
    return (_OF_GROUPS if of_group else _CLASSES).get(number, OSError)(message, number)
