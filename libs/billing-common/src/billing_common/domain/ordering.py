"""Is this snapshot newer than what we hold? Decided by the provider's time only.

Stripe's `created` has whole seconds, so two different events of one second are a tie that no
payload can decide: the provider's current truth does. Event ids are not chronological.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Watermark:
    """The newest provider event folded into a row. `event_created_at` is aware UTC."""

    event_created_at: datetime
    event_id: str


class Order(StrEnum):
    """What the watermark says about an incoming snapshot."""

    NEWER = "newer"
    OLDER = "older"
    SAME_EVENT = "same_event"
    TIE = "tie"  # same second, another event: ask the provider


def compare(stored: Watermark | None, incoming: Watermark) -> Order:
    """Total. A row without a watermark has seen nothing, so anything is newer."""
    if stored is None or incoming.event_created_at > stored.event_created_at:
        return Order.NEWER
    if incoming.event_created_at < stored.event_created_at:
        return Order.OLDER
    return Order.SAME_EVENT if incoming.event_id == stored.event_id else Order.TIE


def advance(stored: Watermark | None, incoming: Watermark) -> Watermark:
    """The watermark after the incoming event was taken into account: never goes back.

    In a tie the greater id is kept: it decides nothing, but any arrival order then leaves the
    same bytes in the row.
    """
    if stored is None:
        return incoming
    return max(stored, incoming, key=lambda mark: (mark.event_created_at, mark.event_id))
