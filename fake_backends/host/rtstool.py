"""cinder-rtstool: LIO targets, as Cinder's target driver lioadm asks for them.

Source: `cinder.cmd.rtstool`, `cinder.volume.targets.lio`. Its errors are Python tracebacks; here stderr has
their last line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fake_backends.command_line import Result
from fake_backends.host.paths import Host
from fake_backends.lvm.host import close_device
from fake_backends.targets import Chap, TargetPortal
from harness.errors import NotFound

_USAGE = """Usage:
cinder-rtstool create [device] [name] [userid] [password] [iser_enabled] \
<initiator_iqn,iqn2,iqn3,...> [-a<IP1,IP2,...>] [-pPORT]
cinder-rtstool add-initiator [target_iqn] [userid] [password] [initiator_iqn]
cinder-rtstool delete-initiator [target_iqn] [initiator_iqn]
cinder-rtstool get-targets
cinder-rtstool delete [iqn]
cinder-rtstool verify
cinder-rtstool save [path_to_file]
"""
_RTSLIB = "rtslib_fb.utils.RTSLibError"
_RTSTOOL = "cinder.cmd.rtstool.RtstoolError"
SAVED = "/etc/target/saveconfig.json"


@dataclass(frozen=True)
class _SavedTarget:
    iqn: str
    path: str
    chap: Chap
    allowed: tuple[tuple[str, Chap | None], ...]


class Rtstool:
    """The program on one storage host; `portal` is the host's."""

    def __init__(self, host: Host, portal: TargetPortal) -> None:
        self.host = host
        self.portal = portal
        self._paths: dict[str, str] = {}
        self._saved: dict[str, tuple[_SavedTarget, ...]] = {}
        self._actions: dict[str, tuple[Callable[[list[str]], Result], range]] = {
            "create": (self._create, range(5, 9)),
            "add-initiator": (self._add_initiator, range(4, 100)),
            "delete-initiator": (self._delete_initiator, range(2, 100)),
            "get-targets": (self._get_targets, range(100)),
            "delete": (self._delete, range(1, 100)),
            "verify": (self._verify, range(100)),
            "save": (self._save, range(2)),
            "restore": (self._restore, range(2)),
        }

    def execute(self, arguments: Sequence[object]) -> Result:
        """Run with these arguments; what makes no sense is answered with the usage text and status 1."""
        name, *rest = [str(argument) for argument in arguments] or [""]
        if name not in self._actions:
            return Result(_USAGE, "", 1)
        action, counts = self._actions[name]
        return action(rest) if len(rest) in counts else Result(_USAGE, "", 1)

    def _create(self, arguments: list[str]) -> Result:
        """Nothing happens if the target exists. The initiators given, or nobody, may log in."""
        path, iqn, user, password, _, *optional = arguments
        initiators: list[str] = []
        for argument in optional:
            if argument.startswith("-a"):
                if not any(argument[2:].split(",")):
                    return Result(_USAGE, "", 1)
            elif argument.startswith("-p"):
                if not argument[2:].isdecimal():
                    return Result(_USAGE, "", 1)
            else:
                initiators = argument.strip(" ").split(",")
        if iqn in self.portal.targets:
            return Result()
        allowed = tuple((initiator, None) for initiator in initiators)
        return self._export(_SavedTarget(iqn, path, (user, password), allowed))

    def _export(self, target: _SavedTarget) -> Result:
        path = target.path
        if not self.host.exists(path) or self.host.is_file(path):
            return _error(_RTSLIB, f"Device {path} is not a TYPE_DISK block device")
        if self.host.mapping_over(path) is not None or path in self._paths.values():
            # rtslib-fb 2.2.4 forgets to put the device in.
            return _error(_RTSLIB, "Cannot configure StorageObject because device {dev} is already in use")
        self.portal.create_target(
            target.iqn,
            lambda: self.host.open(path),
            close_device,
            chap=target.chap,
            allowed=[],
        )
        for initiator, chap in target.allowed:
            self.portal.allow(target.iqn, initiator, chap)
        self._paths[target.iqn] = path
        return Result()

    def _add_initiator(self, arguments: list[str]) -> Result:
        iqn, user, secret, initiator = arguments[:4]
        try:
            if self._admitted(iqn, initiator) is None:
                self.portal.allow(iqn, initiator, (user, secret))
        except NotFound as error:
            return _error(_RTSTOOL, str(error))
        return Result()

    def _delete_initiator(self, arguments: list[str]) -> Result:
        iqn, initiator = arguments[:2]
        try:
            admitted = self._admitted(iqn, initiator)
        except NotFound as error:
            return _error(_RTSTOOL, str(error))
        if admitted is None:
            return Result(f"delete_initiator: {initiator} ACL not found. Continuing.\n")
        self.portal.deny(iqn, admitted)
        return Result()

    def _admitted(self, iqn: str, initiator: str) -> str | None:
        """The initiator as the target's list has it, whatever its case. NotFound if there is no such target."""
        target = self.portal.targets.get(iqn)
        if target is None:
            raise NotFound(f"Could not find target {iqn}")
        return next((each for each in target.allowed or () if each.lower() == initiator.lower()), None)

    def _get_targets(self, arguments: list[str]) -> Result:
        return Result("".join(f"{iqn}\n" for iqn in self.portal.targets))

    def _delete(self, arguments: list[str]) -> Result:
        """Its sessions are no obstacle, and an absent target is fine."""
        self.portal.remove_target(arguments[0])
        self._paths.pop(arguments[0], None)
        return Result()

    @staticmethod
    def _verify(arguments: list[str]) -> Result:
        return Result()

    def _save(self, arguments: list[str]) -> Result:
        """Remember all targets, for a start of the machine."""
        self._saved[arguments[0] if arguments else SAVED] = tuple(
            _SavedTarget(iqn, path, target.chap or ("", ""), tuple((target.allowed or {}).items()))
            for iqn, path in self._paths.items()
            if (target := self.portal.targets.get(iqn)) is not None
        )
        return Result()

    def _restore(self, arguments: list[str]) -> Result:
        """The saved targets instead of those that are there."""
        path = arguments[0] if arguments else SAVED
        if path not in self._saved:
            text = f"Could not restore configuration file {path}: [Errno 2] No such file or directory: '{path}'"
            return _error(_RTSTOOL, text)
        for iqn in list(self._paths):
            self._delete([iqn])
        for target in self._saved[path]:
            self._export(target)
        return Result()


def _error(kind: str, text: str) -> Result:
    return Result("", f"{kind}: {text}\n", 1)
