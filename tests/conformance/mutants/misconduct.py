"""Drivers that do what no driver may, whatever is asked of them."""

from __future__ import annotations

import _thread
import signal
import sys
import time
from typing import Any

from fake_backends.rbd.driver import RbdDriver
from tests.conformance.mutants.planted import mutant

ANY = "volumes/what_is_written_is_read_again"


@mutant("prints", ANY, "prints to standard output")
class Prints(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        print("creating", volume.name)
        return super().create_volume(volume)


@mutant("exits", ANY, "calls sys.exit")
class Exits(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        sys.exit(0)


@mutant("exits-when-made", ANY, "calls sys.exit in its constructor")
class ExitsWhenMade(RbdDriver):
    def __init__(self, **keywords: Any) -> None:
        sys.exit(0)


@mutant("constructor-raises", ANY, "its constructor raises")
class ConstructorRaises(RbdDriver):
    def __init__(self, **keywords: Any) -> None:
        raise RuntimeError("no licence")


@mutant("no-exception", ANY, "raises what is no Exception")
class NoException(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        raise BaseException("that is how I am")


@mutant("waits-for-ever", ANY, "polls for ever, in virtual time")
class WaitsForEver(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        while True:
            self.world.points.visit("array.poll", cost_us=86_400_000_000)


@mutant("nonsense", ANY, "returns nonsense")
class Nonsense(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        super().create_volume(volume)
        return ["ok"]


@mutant("nonsense-connection", ANY, "connection info is a text")
class NonsenseConnection(RbdDriver):
    def initialize_connection(self, volume: Any, connector: Any) -> Any:
        return "rbd:volumes/x"


@mutant("nonsense-stats", "stats/stats_say_who_reports", "the stats are None")
class NonsenseStats(RbdDriver):
    def get_volume_stats(self, refresh: bool = False) -> Any:
        return None


@mutant("repr-raises", ANY, "returns what cannot be shown")
class ReprRaises(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        class Strange:
            def __repr__(self) -> str:
                raise ValueError("not for you")

        return Strange()


@mutant("leaves-thread", ANY, "leaves a thread running")
class LeavesThread(RbdDriver):
    def create_volume(self, volume: Any) -> Any:
        _thread.start_new_thread(time.sleep, (0.3,))  # noqa: TID251 (that is the fault)
        return super().create_volume(volume)


@mutant("signals", ANY, "takes the service's signals")
class TakesSignals(RbdDriver):
    def do_setup(self, context: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
