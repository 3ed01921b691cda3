"""Stripe-like events: 500 customers, subscription updates and paid invoices, 5 to 6 KB each."""

from __future__ import annotations

import json
from typing import Any

CUSTOMERS = 500
CREATED_FIRST = 1_790_000_000
_PADDING = {f"field_{number:03}": "x" * 40 for number in range(80)}


def customer_id(number: int) -> str:
    return f"cus_{number % CUSTOMERS:06}"


def subscription_id(number: int) -> str:
    return f"sub_{number % CUSTOMERS:06}"


def event(number: int, *, salt: str, price_id: str = "price_bench") -> dict[str, Any]:
    """Every second one an invoice; a customer's events are a second apart, so there are no ties."""
    created = CREATED_FIRST + number // CUSTOMERS
    body = _invoice(number, created) if number % 2 else _subscription(number, created, price_id)
    return {
        "id": f"evt_{salt}_{number:08}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": created,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "invoice.paid" if number % 2 else "customer.subscription.updated",
        "data": {"object": body},
    }


def body_of(source: dict[str, Any]) -> bytes:
    """Pretty-printed, as Stripe sends it."""
    return json.dumps(source, indent=2).encode()


def _subscription(number: int, created: int, price_id: str) -> dict[str, Any]:
    return {
        "id": subscription_id(number),
        "object": "subscription",
        "status": "active",
        "customer": customer_id(number),
        "created": CREATED_FIRST,
        "cancel_at_period_end": False,
        "items": {
            "object": "list",
            "data": [
                {
                    "id": f"si_{number % CUSTOMERS:06}",
                    "object": "subscription_item",
                    "price": {"id": price_id, "object": "price"},
                    "quantity": 1,
                    "current_period_start": created,
                    "current_period_end": created + 2_592_000,
                }
            ],
        },
        "metadata": {},
        "automatic_tax": _PADDING,
    }


def _invoice(number: int, created: int) -> dict[str, Any]:
    return {
        "id": f"in_{number:08}",
        "object": "invoice",
        "status": "paid",
        "customer": customer_id(number),
        "currency": "usd",
        "amount_due": 1900,
        "amount_paid": 1900,
        "amount_remaining": 0,
        "attempt_count": 1,
        "created": created,
        "due_date": None,
        "status_transitions": {"paid_at": created},
        "parent": {
            "type": "subscription_details",
            "subscription_details": {"subscription": subscription_id(number), "metadata": {}},
        },
        "metadata": {},
        "lines": _PADDING,
    }
