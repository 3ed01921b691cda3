"""How long a request may be repeated, and how long what it makes can be used.

The provider remembers a key for 24 hours, and takes an expiry of 30 minutes to 24 hours from its
own now; clocks differ, so we stay well inside both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

SESSION_LIFETIME: Final = timedelta(hours=24)
LIFETIME_MARGIN: Final = timedelta(minutes=10)
EXPIRY_DISTANCE_MIN: Final = timedelta(minutes=30)
SKEW_MARGIN: Final = timedelta(minutes=5)
# Replaying after the provider forgot the key would create a second object.
REPLAY_WINDOW: Final = timedelta(hours=23)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """`replay_at`: from then on nothing is sent again. `usable_until`: from then on, and a grace,
    nothing that the request made can be paid; a session says so itself by its `expires_at`."""

    replay_at: datetime
    usable_until: datetime


def session_deadlines(now: datetime) -> Deadlines:
    """For a checkout session, which expires at `usable_until` (whole seconds)."""
    expires_at = (now + SESSION_LIFETIME - LIFETIME_MARGIN).replace(microsecond=0)
    return Deadlines(
        replay_at=min(now + REPLAY_WINDOW, expires_at - EXPIRY_DISTANCE_MIN - SKEW_MARGIN),
        usable_until=expires_at,
    )


def call_deadlines(now: datetime) -> Deadlines:
    """For an object without an expiry of its own: only the provider's memory of the key counts."""
    return Deadlines(replay_at=now + REPLAY_WINDOW, usable_until=now + REPLAY_WINDOW)
