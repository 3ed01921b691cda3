"""Pages of the timeline: their cursors, and what an entry says to a person."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

PAGE_SIZE_DEFAULT: Final = 20
PAGE_SIZE_MAX: Final = 100
CURSOR_LENGTH_MAX: Final = 300
_ID_MAX: Final = 2**64 - 1
_TITLES: Final = {
    "checkout_session": "Checkout",
    "idempotency": "Request",
    "invoice": "Invoice",
    "payment": "Payment",
    "subscription": "Subscription",
    "webhook": "Webhook",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: its last entry."""

    occurred_at: datetime
    source: str
    id: int


def cursor_of(place: Place) -> str:
    """The opaque text that `place_of` reads back."""
    moment = place.occurred_at.astimezone(UTC).isoformat(timespec="microseconds")
    text = json.dumps([moment, place.source, place.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(cursor: str) -> Place | None:
    """The place, or None for a text that no page of ours ended with."""
    if len(cursor) > CURSOR_LENGTH_MAX or not cursor.isascii():
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        moment, source, row_id = parts
        occurred_at = datetime.fromisoformat(moment)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        return None
    # UTC only, as we write it: converting an offset could leave the calendar.
    if occurred_at.utcoffset() != timedelta() or not isinstance(source, str):
        return None
    if source not in _TITLES:
        return None
    if type(row_id) is not int or not 0 <= row_id <= _ID_MAX:
        return None
    return Place(occurred_at, source, row_id)


def title_of(source: str, status: str) -> str:
    """The entry in two or three words."""
    return f"{_TITLES[source]} {status.replace('_', ' ')}"


def description_of(*, source: str, status: str, label: str | None, reason: str | None) -> str:
    """The entry in one sentence."""
    words = status.replace("_", " ")
    what = f"{_TITLES[source]} ({label.replace('_', ' ')})" if label else _TITLES[source]
    return f"{what} is {words}: {reason}." if reason else f"{what} is {words}."
