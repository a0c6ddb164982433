"""Time, names and chance: virtual, and the same in every run.

`oslo_utils.timeutils.utcnow`, `time.time` and `time.sleep` become the kernel's; ``uuid.uuid4``,
``random.SystemRandom`` and the passwords that Cinder makes draw from streams of the cell's seed. ``sleep(0)``
is no point at which others may run: oslo.db calls it at each checkin of a connection, in the middle of a
transaction.
"""

from __future__ import annotations

import datetime
import random
import time
import uuid

from cinder.volume import volume_utils
from oslo_utils import timeutils

from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage

EPOCH = datetime.datetime(2026, 1, 1)
"""When every cell begins (UTC, naive, as Cinder's records are)."""
EPOCH_S = 1_767_225_600.0


def at(time_us: int) -> datetime.datetime:
    """Cinder's name for a virtual time."""
    return EPOCH + datetime.timedelta(microseconds=time_us)


def install(patches: Patches, stage: Stage) -> None:
    """Replace clocks and chance for everybody in this process."""

    def sleep(seconds: float) -> None:
        if seconds > 0 and stage.cloud is not None:
            stage.cloud.simulation.kernel.sleep(round(seconds * 1_000_000))

    def now_us() -> int:
        return stage.cloud.simulation.kernel.now_us if stage.cloud is not None else 0

    def utcnow(with_timezone: bool = False) -> datetime.datetime:
        now = at(now_us())
        return now.replace(tzinfo=datetime.UTC) if with_timezone else now

    def now() -> float:
        return EPOCH_S + now_us() / 1e6

    real_uuid4 = uuid.uuid4  # noqa: TID251 (outside of cells, what imports Cinder may draw one)

    def uuid4() -> uuid.UUID:
        return uuid.UUID(stage.cloud.ids.uuid()) if stage.cloud is not None else real_uuid4()

    real_random = random.SystemRandom  # noqa: TID251 (the same: the module `secrets` makes one when imported)

    def urandom(count: int) -> bytes:
        return stage.playing.chance.randbytes(count)

    def shuffle(items: list[str]) -> None:
        stage.playing.chance.shuffle(items)

    patches.replace(volume_utils, "urandom", urandom)
    patches.replace(volume_utils, "shuffle", shuffle)
    patches.replace(time, "sleep", sleep)
    patches.replace(time, "time", now)
    patches.replace(timeutils, "utcnow", utcnow)
    patches.replace(timeutils, "now", now)
    patches.replace(uuid, "uuid4", uuid4)
    patches.replace(
        random, "SystemRandom", lambda: stage.cloud.chance if stage.cloud is not None else real_random()
    )
