"""Which offset may be committed when many records of a partition are worked on at once.

Only the finished prefix: an offset is committed when every earlier one is done too. Pure.
"""

from __future__ import annotations

from collections import deque


class FinishedPrefix:
    """The ledger of one partition, for one assignment. Begin in order, finish in any."""

    def __init__(self) -> None:
        self._began: deque[int] = deque()
        self._finished: set[int] = set()
        self._last_began: int | None = None

    @property
    def unfinished(self) -> int:
        """How many records began and are not finished."""
        return len(self._began) - len(self._finished)

    def began(self, offset: int) -> None:
        """Work on this record starts. Raises ValueError unless offsets grow."""
        if self._last_began is not None and offset <= self._last_began:
            raise ValueError(f"offset {offset} began after {self._last_began}")
        self._last_began = offset
        self._began.append(offset)

    def finished(self, offset: int) -> int | None:
        """The next offset to commit, or None when an earlier record is still under way.

        Raises ValueError for a record that never began or was finished before.
        """
        if not self._began or offset in self._finished or offset < self._began[0]:
            raise ValueError(f"offset {offset} is not under way")
        if offset != self._began[0]:
            if self._last_began is None or offset > self._last_began:
                raise ValueError(f"offset {offset} is not under way")
            self._finished.add(offset)
            return None
        committable = self._began.popleft() + 1
        while self._began and self._began[0] in self._finished:
            head = self._began.popleft()
            self._finished.remove(head)
            committable = head + 1
        return committable
