"""Records as this package hands them out and takes them in: plain, frozen, bytes untouched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

OFFSET_UNKNOWN: Final = -1

Headers = tuple[tuple[str, bytes | None], ...]


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Record:
    """What stood in the log. A header's value may be None or any bytes: nothing is decoded.

    `timestamp_ms`: epoch milliseconds set by the producer; never used for a decision.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int

    def header(self, name: str) -> bytes | None:
        """The last value under this name, or None."""
        for header_name, value in reversed(self.headers):
            if header_name == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class PartitionBatch:
    """Consecutive records of one partition, oldest first, at least one."""

    topic: str
    partition: int
    records: tuple[Record, ...]

    @property
    def first_offset(self) -> int:
        """The offset of the oldest record."""
        return self.records[0].offset

    @property
    def next_offset(self) -> int:
        """The offset that is due after this batch."""
        return self.records[-1].offset + 1


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """Where a sent record stands. `offset` is OFFSET_UNKNOWN when the broker had it already."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record to send. `value` None is a tombstone; without a key, name the partition."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    partition: int | None = None
