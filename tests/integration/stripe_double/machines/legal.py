"""What may follow what, written down from Stripe's documentation and from nothing in the double.

A status names the statuses that may come next; `FIRST` names those an object may be seen in first.
"""

from __future__ import annotations

from typing import Any

NEXT: dict[str, dict[str, set[str]]] = {
    "checkout.session": {"open": {"complete", "expired"}, "complete": set(), "expired": set()},
    "subscription": {
        "incomplete": {"active", "trialing", "incomplete_expired", "canceled"},
        "incomplete_expired": set(),
        "trialing": {"active", "past_due", "paused", "canceled", "unpaid"},
        "active": {"past_due", "trialing", "paused", "canceled", "unpaid"},
        "past_due": {"active", "trialing", "paused", "canceled", "unpaid"},
        "unpaid": {"active", "canceled"},
        "paused": {"active", "past_due", "canceled"},
        "canceled": set(),
    },
    "invoice": {
        "draft": {"open", "paid"},
        "open": {"paid", "void", "uncollectible"},
        "uncollectible": {"paid", "void"},
        "paid": set(),
        "void": set(),
    },
    "payment_intent": {
        "requires_payment_method": {
            "requires_confirmation",
            "requires_action",
            "requires_capture",
            "processing",
            "succeeded",
            "canceled",
        },
        "requires_confirmation": {
            "requires_payment_method",
            "requires_action",
            "requires_capture",
            "processing",
            "succeeded",
            "canceled",
        },
        "requires_action": {
            "requires_payment_method",
            "requires_capture",
            "processing",
            "succeeded",
            "canceled",
        },
        "processing": {"requires_payment_method", "succeeded", "canceled"},
        "requires_capture": {"succeeded", "canceled"},
        "succeeded": set(),
        "canceled": set(),
    },
    "charge": {"pending": {"succeeded", "failed"}, "succeeded": {"failed"}, "failed": set()},
    "refund": {
        "pending": {"succeeded", "failed", "canceled", "requires_action"},
        "requires_action": {"succeeded", "failed", "canceled", "pending"},
        "succeeded": {"failed"},
        "failed": set(),
        "canceled": set(),
    },
    "dispute": {
        "warning_needs_response": {"warning_under_review", "warning_closed", "needs_response"},
        "warning_under_review": {"warning_closed", "needs_response"},
        "warning_closed": set(),
        "needs_response": {"under_review", "won", "lost"},
        "under_review": {"won", "lost"},
        "won": set(),
        "lost": set(),
    },
    "credit_note": {"issued": {"void"}, "void": set()},
    "invoice_payment": {"open": {"paid", "canceled"}, "paid": set(), "canceled": set()},
}

FIRST: dict[str, set[str]] = {
    "checkout.session": {"open", "complete", "expired"},
    "subscription": {"incomplete", "trialing", "active", "past_due"},
    "invoice": {"draft", "open"},
    "payment_intent": set(NEXT["payment_intent"]),
    "charge": {"pending", "succeeded", "failed"},
    "refund": {"pending", "requires_action", "succeeded", "failed"},
    "dispute": {"warning_needs_response", "needs_response"},
    "credit_note": {"issued"},
    "invoice_payment": {"open", "paid"},
}

# Kinds whose every change of status Stripe announces.
ANNOUNCED = {"subscription", "invoice", "refund", "dispute", "payment_intent"}

# Statuses between which Stripe moves a payment intent without saying so.
UNSAID = {"requires_payment_method", "requires_confirmation"}

# Event type -> the status that its snapshot must show.
TELLS: dict[str, set[str]] = {
    "checkout.session.completed": {"complete"},
    "checkout.session.expired": {"expired"},
    "customer.subscription.deleted": {"canceled", "incomplete_expired"},
    "customer.subscription.paused": {"paused"},
    "invoice.created": {"draft"},
    "invoice.finalized": {"open", "paid"},
    "invoice.paid": {"paid"},
    "invoice.payment_succeeded": {"paid"},
    "invoice.payment_failed": {"open", "uncollectible"},
    "invoice.voided": {"void"},
    "invoice.marked_uncollectible": {"uncollectible"},
    "payment_intent.succeeded": {"succeeded"},
    "payment_intent.canceled": {"canceled"},
    "payment_intent.payment_failed": {"requires_payment_method"},
    "payment_intent.requires_action": {"requires_action"},
    "payment_intent.amount_capturable_updated": {"requires_capture"},
    "charge.succeeded": {"succeeded"},
    "charge.failed": {"failed"},
    "refund.failed": {"failed"},
    "charge.dispute.closed": {"won", "lost", "warning_closed"},
    "credit_note.created": {"issued"},
    "credit_note.voided": {"void"},
}


class Histories:
    """Reads events in order and says what was illegal in them."""

    def __init__(self) -> None:
        self.last: dict[tuple[str, str], str] = {}
        self.edges: set[tuple[str, str, str]] = set()
        self._ended: set[str] = set()

    def read(self, event: dict[str, Any]) -> str | None:
        """What is wrong with this event after those before it, or None."""
        shown = event["data"]["object"]
        kind, status = shown.get("object"), shown.get("status")
        if kind not in NEXT or "id" not in shown:
            return None
        if status not in TELLS.get(event["type"], {status}):
            return f"{event['type']} shows {status}"
        key = (kind, shown["id"])
        before = self.last.get(key)
        if before is None and status not in FIRST[kind]:
            return f"{event['type']}: a {kind} begins as {status}"
        if before is not None and before != status:
            self.edges.add((kind, before, status))
            if status not in NEXT[kind][before]:
                return f"{event['type']}: {kind} went from {before} to {status}"
        previous = event["data"].get("previous_attributes")
        for name, old in (previous or {}).items():
            if not isinstance(old, dict) and shown[name] == old:
                return f"{event['type']}: {name} is said to have been what it is, {old!r}"
        self.last[key] = status
        return None
