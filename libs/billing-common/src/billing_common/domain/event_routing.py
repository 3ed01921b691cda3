"""The log key of a Stripe event: everything of one customer in one partition, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def routing_subject(subject: Mapping[str, Any]) -> object:
    """The Stripe customer id of an event's `data.object`, else the object's own id.

    Not yet checked: whatever stands there is returned, None when nothing does.
    """
    owner = subject if subject.get("object") == "customer" else subject.get("customer")
    if isinstance(owner, Mapping):  # an expanded customer, or the customer itself
        owner = owner.get("id")
    return subject.get("id") if owner is None else owner
