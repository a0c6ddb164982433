"""Exports of one storage host over iSCSI, as Cinder's target helpers make them with tgt and LIO.

A *target* holds its backing device open from its creation to its removal, as tgtd and the LIO kernel module
do: a logical volume that is exported cannot be removed, whether somebody is logged in or not. A *session* is
one initiator that is logged in, and counts as one more opener.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from fake_backends.block_store import BlockDevice
from harness.errors import NotFound, StorageError
from harness.sim.points import QUIET, Points

TARGET_US = 5_000

Chap = tuple[str, str]


class Target:
    """An exported device. `lun` is the number of its disk.

    `allowed` are the initiators that may log in, each with its own credentials (user, secret), as LIO has
    them; None lets in everybody who has `chap`, as tgt does. Credentials of None: none are asked for.
    """

    def __init__(
        self,
        iqn: str,
        tid: int,
        open_device: Callable[[], BlockDevice],
        close_device: Callable[[BlockDevice], None],
        chap: Chap | None,
        allowed: list[str] | None,
        lun: int,
    ) -> None:
        self.iqn = iqn
        self.tid = tid
        self.lun = lun
        self.chap = chap
        self.allowed: dict[str, Chap | None] | None = None
        if allowed is not None:
            self.allowed = dict.fromkeys(allowed, chap)
        self.open_device = open_device
        self.close_device = close_device
        self.device = open_device()

    def admits(self, initiator: str, chap: Chap | None) -> bool:
        """True if this initiator may log in with these credentials."""
        if self.allowed is None:
            return self.chap in (None, chap)
        return initiator in self.allowed and self.allowed[initiator] in (None, chap)


class Session:
    """A login. `device` works until the logout, or until the target is taken away."""

    __slots__ = ("device", "initiator", "live", "target")

    def __init__(self, target: Target, initiator: str) -> None:
        self.target = target
        self.initiator = initiator
        self.device = target.open_device()
        self.live = True

    @property
    def iqn(self) -> str:
        """The name of the target that the session is with."""
        return self.target.iqn


class TargetPortal:
    """The iSCSI portal of a storage host: `targets` by name, and the live `sessions`, oldest first."""

    def __init__(self, hostname: str, address: str, *, points: Points = QUIET) -> None:
        self.hostname = hostname
        self.address = address
        self.targets: dict[str, Target] = {}
        self.sessions: list[Session] = []
        self._saved: tuple[Target, ...] = ()
        self._points = points

    def create_target(
        self,
        iqn: str,
        open_device: Callable[[], BlockDevice],
        close_device: Callable[[BlockDevice], None],
        *,
        chap: Chap | None = None,
        allowed: list[str] | None = None,
        lun: int = 0,
    ) -> Target:
        """Export what `open_device` opens; a target of that name that exists already stays as it is.

        LIO's helper never touches an existing one (`cinder.cmd.rtstool:create`), and ``tgt-admin --update``
        leaves one that is in use alone. Raises what `open_device` raises.
        """
        self._visit("create_target", iqn)
        if iqn not in self.targets:
            tid = 1 + max((target.tid for target in self.targets.values()), default=0)
            self.targets[iqn] = Target(iqn, tid, open_device, close_device, chap, allowed, lun)
        return self.targets[iqn]

    def remove_target(self, iqn: str) -> None:
        """Withdraw an export; an absent one is fine.

        Sessions are no obstacle: Cinder removes tgt targets by force, and LIO tears a target down under its
        initiators (`cinder.volume.targets.tgt:remove_iscsi_target`, `cinder.cmd.rtstool:delete`). Their
        devices give I/O errors from then on.
        """
        self._visit("remove_target", iqn)
        target = self.targets.pop(iqn, None)
        if target is None:
            return
        for session in [session for session in self.sessions if session.target is target]:
            self._end(session)
        target.close_device(target.device)

    def restart(self) -> None:
        """The host starts anew, without targets. LIO's saved configuration follows every change, and stays."""
        self._saved = tuple(self.targets.values())
        for target in self._saved:
            self.remove_target(target.iqn)

    def restore(self) -> None:
        """Export again what LIO's saved configuration has (`cinder.cmd.rtstool:restore_from_file`)."""
        for saved in self._saved:
            self.create_target(saved.iqn, saved.open_device, saved.close_device, chap=saved.chap, lun=saved.lun)
            self.targets[saved.iqn].allowed = saved.allowed

    def allow(self, iqn: str, initiator: str, chap: Chap | None = None) -> None:
        """Let an initiator log in with credentials of its own, or those of the target.

        No-op for one that may already, whatever its credentials, and where everybody may. NotFound if there is
        no such target.
        """
        self._visit("allow", f"{iqn} to {initiator}")
        target = self.targets.get(iqn)
        if target is None:
            raise NotFound(f"Could not find target {iqn}")
        if target.allowed is not None and initiator not in target.allowed:
            target.allowed[initiator] = chap or target.chap

    def deny(self, iqn: str, initiator: str) -> None:
        """Undo `allow`; the initiator's sessions end. One that is not admitted is fine.

        NotFound if there is no such target; no-op where everybody may log in.
        """
        self._visit("deny", f"{iqn} to {initiator}")
        target = self.targets.get(iqn)
        if target is None:
            raise NotFound(f"Could not find target {iqn}")
        if target.allowed is None:
            return
        target.allowed.pop(initiator, None)
        for session in list(self.sessions):
            if session.target is target and session.initiator not in target.allowed:
                self._end(session)

    def login(self, iqn: str, initiator: str, chap: Chap | None) -> Session:
        """Log an initiator in. NotFound (no such target), StorageError with EACCES (not admitted)."""
        self._visit("login", f"{iqn} from {initiator}")
        target = self.targets.get(iqn)
        if target is None:
            raise NotFound(f"iscsiadm: No records found for {iqn} at {self.address}")
        if not target.admits(initiator, chap):
            raise StorageError(
                f"iscsiadm: Could not login to {iqn}: authorization failure of {initiator}", errno=errno.EACCES
            )
        session = Session(target, initiator)
        self.sessions.append(session)
        return session

    def logout(self, session: Session) -> None:
        """End a session; one that has ended already is fine."""
        self._visit("logout", f"{session.iqn} from {session.initiator}")
        if session in self.sessions:
            self._end(session)

    def _end(self, session: Session) -> None:
        self.sessions.remove(session)
        session.live = False
        session.target.close_device(session.device)

    def _visit(self, name: str, detail: str) -> None:
        self._points.visit(f"iscsi.{name}", detail, cost_us=TARGET_US)
