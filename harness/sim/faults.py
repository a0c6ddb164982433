"""Fault plans: data that says what goes wrong, where and when.

A fault strikes at the n-th visit of a named point; names are shell patterns (``lvm.*``). Storage and
services must survive every one of them in the sense of the invariants: an error is reported to whoever
asked, a crash loses the memory of one service and nothing else. The true bytes stay pristine: a fault is an
overlay and can be lifted (`FaultPlan.heal`), after which the system has to become usable again.

Messages between services pass points, too: ``message.<method>`` at the sender, and ``reply.<method>``, when a
call is answered, at the service that answers. There a fault may also lose or duplicate the message. A delayed
one holds up those behind it on the way from the same sender to the same receiver; all others overtake it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

from harness.errors import Busy, MessagingTimeout, NoSpace, StorageError

Kind = Literal["enospc", "eio", "ebusy", "timeout", "crash", "restart", "delay", "lost", "duplicated"]
STORAGE_KINDS = ("enospc", "eio", "ebusy")
MESSAGE_KINDS = ("lost", "duplicated")
MESSAGE_POINTS = ("message.", "reply.")

ERRORS: dict[str, Callable[[str], Exception]] = {
    "enospc": lambda point: NoSpace(f"No space left on device (planned fault at {point})"),
    "eio": lambda point: StorageError(f"Input/output error (planned fault at {point})"),
    "ebusy": lambda point: Busy(f"Device or resource busy (planned fault at {point})"),
    "timeout": lambda point: MessagingTimeout(service=f"{point} (planned fault)"),
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One planned fault. `actor` narrows it to tasks whose actor matches.

    `delay_us` is for delays, and for a restart how long after its death the service starts again. ValueError
    for a fault that can only strike messages, at a point that is none of theirs. One of storage passes messages
    by, unless its point names them: ``*`` is any step of storage and drivers.

    Of several that are due at a visit, the first of the plan strikes, and the next at the next visit: two
    equal faults make an operation fail twice in a row. Each strikes once.
    """

    point: str
    kind: Kind
    nth: Annotated[int, msgspec.Meta(ge=1)] = 1
    actor: str = "*"
    delay_us: Annotated[int, msgspec.Meta(ge=0)] = 0

    def passes(self, point: str, actor: str) -> bool:
        """True if a visit of this point by this actor is one that it counts."""
        is_message, may_be = point.startswith(MESSAGE_POINTS), self.point.startswith(MESSAGE_POINTS)
        if is_message and not may_be and self.kind in STORAGE_KINDS:
            return False
        return fnmatchcase(point, self.point) and fnmatchcase(actor, self.actor)

    def __post_init__(self) -> None:
        if self.kind in MESSAGE_KINDS and not self.point.startswith(MESSAGE_POINTS):
            raise ValueError(
                f"a fault of kind {self.kind} strikes messages, not {self.point}: its point must be "
                "message.METHOD or reply.METHOD"
            )


class FaultPlan:
    """The faults of one run, and how often each has been passed. True while any has still to strike."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._pending = dict(enumerate(faults))
        self._visits: Counter[int] = Counter()
        self.struck: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self._pending)

    def heal(self) -> None:
        """Lift every fault that has not struck yet."""
        self._pending.clear()

    def due(self, point: str, actor: str) -> Fault | None:
        """The fault that strikes at this visit, if any."""
        due: int | None = None
        for number, fault in self._pending.items():
            if fault.passes(point, actor):
                self._visits[number] += 1
                if self._visits[number] >= fault.nth and due is None:
                    due = number
        if due is None:
            return None
        self.struck.append(self._pending.pop(due))
        return self.struck[-1]
