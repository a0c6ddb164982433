"""What a process does every so often: when it did it last is computed, for nobody needs to see it done.

A heartbeat for each ten seconds of a copy of 1 TiB would cost more than the copy.
"""

from __future__ import annotations


class Heartbeat:
    """Beats at the start and then every `interval_us`, while it is not halted.

    Source: `cinder.service:Service.report_state`, which does not report while the manager does not work.
    """

    def __init__(self, interval_us: int, now_us: int) -> None:
        self.interval_us = interval_us
        self._started_us = self._resumed_us = self._heard_us = self._asked_us = now_us
        self._beating = True

    def heard_us(self, now_us: int) -> int:
        """When it beat last, seen from `now_us`."""
        if self._beating:
            beat_us = now_us - (now_us - self._started_us) % self.interval_us
            if beat_us >= self._resumed_us:
                return beat_us
        return self._heard_us

    def next_us(self, now_us: int) -> int:
        """When it beats next, if it is not halted by then."""
        return now_us - (now_us - self._started_us) % self.interval_us + self.interval_us

    def news_us(self, now_us: int) -> int | None:
        """The last beat, if there was one since somebody asked for news."""
        heard_us = self.heard_us(now_us)
        if heard_us <= self._asked_us:
            return None
        self._asked_us = heard_us
        return heard_us

    def halt(self, now_us: int, *, heard_us: int | None = None) -> None:
        """No more beats after now. `heard_us` sets when the last one was, if other than it has been."""
        self._heard_us = self.heard_us(now_us) if heard_us is None else heard_us
        self._beating = False

    def resume(self, now_us: int) -> None:
        """It beats again, at the times at which it would have."""
        if not self._beating:
            self._resumed_us, self._beating = now_us, True
