"""The exceptions of `rados`, with the texts of 16.2.15.

All derive from `Error`, none from the builtin classes of the same names.
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Mapping


class Error(Exception):
    """The root of the tree. `errno` is None where the binding itself refuses."""

    __module__ = "rados"
    text = "%s"

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(self.text % message)
        self.errno = errno

    def __str__(self) -> str:
        text = super().__str__()
        return text if self.errno is None else f"[errno {self.errno}] {text}"


class OSError(Error):
    """What librados returned a number for."""

    __module__ = "rados"


class ConnectionShutdown(OSError):
    __module__ = "rados"
    text = "RADOS connection was shutdown (%s)"


class IOError(OSError):
    __module__ = "rados"
    text = "RADOS I/O error (%s)"


class InProgress(Error):
    __module__ = "rados"
    text = "RADOS in progress error (%s)"


class InterruptedOrTimeoutError(OSError):
    __module__ = "rados"
    text = "RADOS interrupted or timeout (%s)"


class InvalidArgumentError(Error):
    __module__ = "rados"
    text = "RADOS invalid argument (%s)"


class IoctxStateError(Error):
    __module__ = "rados"
    text = "RADOS Ioctx state error (%s)"


class IsConnected(Error):
    __module__ = "rados"
    text = "RADOS is connected error (%s)"


class LogicError(Error):
    __module__ = "rados"
    text = "RADOS logic error (%s)"


class NoData(OSError):
    __module__ = "rados"
    text = "RADOS no data (%s)"


class NoSpace(OSError):
    __module__ = "rados"
    text = "RADOS no space (%s)"


class NotConnected(OSError):
    __module__ = "rados"
    text = "RADOS not connected (%s)"


class ObjectBusy(OSError):
    __module__ = "rados"
    text = "RADOS object busy (%s)"


class ObjectExists(OSError):
    __module__ = "rados"
    text = "RADOS object exists (%s)"


class ObjectNotFound(OSError):
    __module__ = "rados"
    text = "RADOS object not found (%s)"


class ObjectStateError(Error):
    __module__ = "rados"
    text = "RADOS object state error (%s)"


class PermissionDeniedError(OSError):
    __module__ = "rados"
    text = "RADOS permission denied (%s)"


class PermissionError(OSError):
    __module__ = "rados"
    text = "RADOS permission error (%s)"


class RadosStateError(Error):
    __module__ = "rados"
    text = "RADOS rados state (%s)"


class TimedOut(OSError):
    __module__ = "rados"
    text = "RADOS timed out (%s)"


_CLASSES: Mapping[int, type[Error]] = {
    _errno.EPERM: PermissionError,
    _errno.ENOENT: ObjectNotFound,
    _errno.EIO: IOError,
    _errno.ENOSPC: NoSpace,
    _errno.EEXIST: ObjectExists,
    _errno.EBUSY: ObjectBusy,
    _errno.ENODATA: NoData,
    _errno.EINTR: InterruptedOrTimeoutError,
    _errno.ETIMEDOUT: TimedOut,
    _errno.EACCES: PermissionDeniedError,
    _errno.EINPROGRESS: InProgress,
    _errno.EISCONN: IsConnected,
    _errno.EINVAL: InvalidArgumentError,
    _errno.ENOTCONN: NotConnected,
    _errno.ESHUTDOWN: ConnectionShutdown,
}


def by_errno(number: int, message: str) -> Error:
    """The exception that the binding raises for an error number."""
    return _CLASSES.get(number, OSError)(message, number)
