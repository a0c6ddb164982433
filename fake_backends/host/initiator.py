"""open-iscsi on one machine: sessions with the targets of others, and the disks that they bring.

A disk appears as ``/dev/sdX``, with a link of udev's in ``/dev/disk/by-path``, and goes with its session. There
is one session per target and portal, however often somebody logs in; whoever logs out takes the disk from all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, product
from string import ascii_lowercase
from typing import Protocol

from fake_backends.block_store import BlockDevice
from fake_backends.host.file_systems import FileSystem
from fake_backends.host.paths import Handle, Host
from fake_backends.targets import Chap, Session, TargetPortal
from harness.errors import StorageError


class Network(Protocol):
    """What a machine can reach."""

    @property
    def shares(self) -> Mapping[str, FileSystem]:
        """NFS exports, as ``address:/path``."""

    def portal(self, address: str) -> TargetPortal | None:
        """The iSCSI portal at this address, without a port; None if nobody answers."""


@dataclass(frozen=True)
class Login:
    """A session with the target `session.iqn` at `portal` (``address:port``). `disk` is its device."""

    portal: str
    session: Session
    disk: str

    @property
    def path(self) -> str:
        """udev's name for the disk."""
        return by_path(self.portal, self.session.iqn, self.session.target.lun)


def by_path(portal: str, iqn: str, lun: int) -> str:
    """The link that udev makes for a disk of iSCSI."""
    return f"/dev/disk/by-path/ip-{portal}-iscsi-{iqn}-lun-{lun}"


class Initiator:
    """The initiator of one machine; `name` is in its ``/etc/iscsi/initiatorname.iscsi``."""

    def __init__(self, host: Host, network: Network) -> None:
        self.host = host
        self.name = f"iqn.1994-05.com.example:{host.hostname}"
        self.network = network
        self._logins: dict[tuple[str, str], Login] = {}

    @property
    def logins(self) -> list[Login]:
        """Sessions that are up, oldest first. One that the other side has ended is none any more."""
        for login in [login for login in self._logins.values() if not login.session.live]:
            self._forget(login)
        return list(self._logins.values())

    def find(self, portal: str, iqn: str) -> Login | None:
        """The session with this target, if there is one."""
        return next((each for each in self.logins if (each.portal, each.session.iqn) == (portal, iqn)), None)

    def login(self, portal: str, iqn: str, chap: Chap | None = None, *, initiator: str | None = None) -> Login:
        """Log in at `portal`; the disk appears. With a session already, nothing happens but that it is given.

        `initiator` is another name to come under. NotFound (no such target), StorageError with EACCES (not
        admitted) or without (nobody answers).
        """
        found = self.find(portal, iqn)
        if found is not None:
            return found
        session = self.at(portal).login(iqn, initiator or self.name, chap)
        disk = next(path for path in disk_names() if not self.host.exists(path))
        openers: list[Handle] = []

        def open_disk() -> BlockDevice:
            return Handle(session.device, openers)

        self.host.add_device(disk, open_disk)
        login = self._logins[portal, iqn] = Login(portal, session, disk)
        self.host.link(login.path, disk)
        return login

    def logout(self, login: Login) -> None:
        """End a session; the disk goes away under its users. One that has ended already is fine."""
        portal = self.network.portal(_address(login.portal))
        if portal is not None:
            portal.logout(login.session)
        self._forget(login)

    def at(self, portal: str) -> TargetPortal:
        """The portal at ``address:port``. StorageError if nobody answers there."""
        found = self.network.portal(_address(portal))
        if found is None:
            raise StorageError(f"no portal at {portal}")
        return found

    def _forget(self, login: Login) -> None:
        key = (login.portal, login.session.iqn)
        if self._logins.get(key) is login:
            del self._logins[key]
            self.host.remove_device(login.disk)


def _address(portal: str) -> str:
    return portal.rpartition(":")[0]


def disk_names() -> Iterator[str]:
    """/dev/sda to /dev/sdz, /dev/sdaa and so on."""
    for length in count(1):
        for letters in product(ascii_lowercase, repeat=length):
            yield f"/dev/sd{''.join(letters)}"
