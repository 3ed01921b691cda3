"""Deliveries that wait until later ones went before them: a pure look at what is stored."""

from __future__ import annotations

from itertools import takewhile

from stripe_double.engine.records import Record
from stripe_double.engine.store import Store
from stripe_double.engine.webhook_faults import WebhookFaultKind

COLLECTION = "delivery"


def is_held_back(store: Store, delivery: Record) -> bool:
    """Whether a fault still keeps the first attempt of this delivery behind later ones."""
    fault = delivery.get("fault") or {}
    if fault.get("kind") != WebhookFaultKind.REORDER or delivery["attempts"]:
        return False
    later = takewhile(lambda other: other["id"] != delivery["id"], store.newest(COLLECTION))
    went = sum(
        1 for other in later if other["endpoint"] == delivery["endpoint"] and other["attempts"]
    )
    return bool(went < fault["places"])
