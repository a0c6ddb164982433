"""Sets of object numbers, kept as ranges.

A fully written image of 1 TiB has 262144 objects and one range.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class ObjectSet:
    """Object numbers as disjoint ascending ranges [start, end) that do not touch one another."""

    __slots__ = ("_count", "_ends", "_starts")

    def __init__(self, first: int = 0, last: int = 0) -> None:
        self._starts: list[int] = [first] if first < last else []
        self._ends: list[int] = [last] if first < last else []
        self._count = max(0, last - first)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self._starts, number) - 1
        return index >= 0 and number < self._ends[index]

    def ranges(self) -> Iterator[tuple[int, int]]:
        """The ranges [start, end), ascending."""
        return zip(self._starts, self._ends, strict=True)

    def copy(self) -> ObjectSet:
        """An independent set of the same numbers."""
        twin = ObjectSet()
        twin._starts = self._starts.copy()
        twin._ends = self._ends.copy()
        twin._count = self._count
        return twin

    def add(self, first: int, last: int) -> int:
        """Add first <= n < last; returns how many were new."""
        if first >= last:
            return 0
        if self._ends and self._ends[-1] == first:
            # Who writes from the front to the end, adds to the last range.
            self._ends[-1] = last
            self._count += last - first
            return last - first
        low = bisect_left(self._ends, first)
        high = bisect_right(self._starts, last)
        held = 0
        if low < high:
            held = sum(self._ends[low:high]) - sum(self._starts[low:high])
            first = min(first, self._starts[low])
            last = max(last, self._ends[high - 1])
        self._starts[low:high] = [first]
        self._ends[low:high] = [last]
        self._count += last - first - held
        return last - first - held

    def remove(self, first: int, last: int) -> int:
        """Remove first <= n < last; returns how many were there."""
        if first >= last or not self._starts:
            return 0
        low = bisect_right(self._ends, first)
        high = bisect_left(self._starts, last)
        if low >= high:
            return 0
        held = sum(self._ends[low:high]) - sum(self._starts[low:high])
        starts, ends = [], []
        if self._starts[low] < first:
            starts.append(self._starts[low])
            ends.append(first)
        if self._ends[high - 1] > last:
            starts.append(last)
            ends.append(self._ends[high - 1])
        removed = held - sum(ends) + sum(starts)
        self._starts[low:high] = starts
        self._ends[low:high] = ends
        self._count -= removed
        return removed

    def update(self, other: ObjectSet) -> None:
        """Add all members of `other`."""
        for first, last in other.ranges():
            self.add(first, last)

    def difference_update(self, other: ObjectSet) -> None:
        """Remove all members of `other`."""
        for first, last in other.ranges():
            self.remove(first, last)

    def between(self, first: int, last: int) -> ObjectSet:
        """The members of first <= n < last."""
        part = ObjectSet()
        low, high = bisect_right(self._ends, first), bisect_left(self._starts, last)
        if low < high and first < last:
            part._starts, part._ends = self._starts[low:high], self._ends[low:high]
            part._starts[0] = max(first, part._starts[0])
            part._ends[-1] = min(last, part._ends[-1])
            part._count = sum(part._ends) - sum(part._starts)
        return part

    def common(self, other: ObjectSet) -> int:
        """How many members both have."""
        if len(other._starts) < len(self._starts):
            return other.common(self)
        return sum(len(other.between(first, last)) for first, last in self.ranges())
