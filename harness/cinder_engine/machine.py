"""One machine of a cell: a node of the world, and what only the real Cinder needs of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from fake_backends.block_store import BlockDevice
from fake_backends.command_line import Result, parse
from fake_backends.host.ceph_tools import CephTools
from fake_backends.lvm.commands import dd
from fake_backends.nfs.share import Share
from fake_backends.rbd.bindings import Modules
from fake_backends.world import Node
from harness.control_plane.copying import copy_volume
from harness.errors import NoSpace, NotFound, StorageError
from harness.model import GIB
from harness.sim.points import Points

SCRATCH_BYTES = 1 << 50
"""Images are converted one after another, and none of them is larger than what a back-end holds."""


class Machine:
    """`node` has paths, volume groups, portal and initiator; `ceph` are the modules of this process.

    `scratch` is the directory of the real file system in which Cinder keeps what it converts.
    """

    def __init__(self, node: Node, points: Points, ceph: Modules, scratch: Path) -> None:
        self.node = node
        self._points = points
        self._ceph = CephTools(node, ceph)
        node.mount(str(scratch), Share("scratch", SCRATCH_BYTES))
        self._scratch = re.compile(rf"{re.escape(str(scratch))}/[^,\s]+")

    def run(self, argv: Sequence[str], given: bytes) -> Result:
        """Run a command line, wrappers and all, with `given` as its standard input."""
        self._bring_files(argv)
        invocation = parse(argv)
        arguments = invocation.arguments
        match invocation.name:
            case "ceph":
                return self._ceph.ceph(arguments)
            case "rbd":
                return self._ceph.rbd(arguments)
            case "dd" if self._copies(arguments):
                return self._dd(arguments)
        return self.node.execute(argv, given)

    def _bring_files(self, argv: Sequence[str]) -> None:
        """Cinder itself writes real files, such as the one with a passphrase, which commands then read."""
        for word in argv:
            for path in self._scratch.findall(word):
                if not self.node.exists(path) and Path(path).is_file():
                    self.node.write(path, Path(path).read_bytes())

    # ------------------------------------------------------------------------------------------------- dd

    def _copies(self, arguments: list[str]) -> bool:
        """From device to device: then others may run, and faults may strike, in the middle of it."""
        try:
            operands = dd.read_operands(arguments)
        except dd.Stopped:
            return False
        ends = (operands.source, operands.target)
        whole = bool(operands.count) and not operands.skip and not operands.seek
        return whole and all(self.node.is_device(path) for path in ends) and not ends[0].startswith("/dev/zero")

    def _dd(self, arguments: list[str]) -> Result:
        operands = dd.read_operands(arguments)
        try:
            with self.node.opened(operands.source) as source, self.node.opened(operands.target) as target:
                self._copy(source, target, operands)
        except NotFound as error:
            return Result("", f"dd: failed to open: {error}\n", 1)
        except NoSpace:
            return Result("", f"dd: error writing '{operands.target}': No space left on device\n", 1)
        except StorageError:
            return Result("", f"dd: error writing '{operands.target}': Input/output error\n", 1)
        return Result("", f"{operands.count} bytes copied\n", 0)

    def _copy(self, source: BlockDevice, target: BlockDevice, operands: dd.Operands) -> None:
        assert operands.count is not None
        copy_volume(
            source,
            target,
            operands.count // GIB,
            paths=True,
            sparse="sparse" in operands.conversions,
            points=self._points,
        )
