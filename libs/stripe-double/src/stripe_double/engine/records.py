"""What the store holds: JSON objects that nobody changes in place.

A change makes a new record (`{**old, "status": "complete"}`). So an event's snapshot is a plain
reference that stays as it was, and undoing a transaction is putting the old reference back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]
JsonObject = dict[str, Any]


def changed_fields(before: Record, after: Record) -> JsonObject:
    """The values that `before` had wherever `after` differs: Stripe's `previous_attributes`."""
    return {
        name: before.get(name)
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    }
