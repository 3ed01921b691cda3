"""The states of an invoice as a table, and what everything else reads off an invoice."""

from __future__ import annotations

from stripe_double.engine.errors import state_conflict
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record

LIFECYCLE = Lifecycle(
    "Invoice",
    {
        ("draft", "finalize"): "open",
        ("open", "pay"): "paid",
        ("open", "void"): "void",
        ("open", "mark uncollectible"): "uncollectible",
        ("uncollectible", "pay"): "paid",
        ("uncollectible", "void"): "void",
    },
)

DRAFT_SECONDS = 3600
"""An invoice that Stripe advances stays a draft for an hour."""

RETRY_DAYS = (3, 5, 7)
"""Days from each failed attempt to the next; after the last one Stripe gives up."""


def subscription_of(invoice: Record) -> str | None:
    """The id of the subscription that the invoice bills, if it bills one."""
    details = (invoice["parent"] or {}).get("subscription_details")
    return None if details is None else str(details["subscription"])


def editable(invoice: Record) -> None:
    """Refuse (ApiError 400) unless the invoice is a draft."""
    if invoice["status"] != "draft":
        raise state_conflict(
            f"This invoice is {invoice['status']}; only a draft can be changed.",
            code="invoice_not_editable",
        )


def transition(invoice: Record, action: str, **marks: int) -> JsonObject:
    """The `status` and `status_transitions` after `action`, or ApiError 400."""
    return {
        "status": LIFECYCLE.next(invoice["status"], action),
        "status_transitions": {**invoice["status_transitions"], **marks},
    }


def retry_at(attempts: int, now: int) -> int | None:
    """When to try again after `attempts` failed ones; None: never again."""
    return now + RETRY_DAYS[attempts - 1] * 86_400 if attempts <= len(RETRY_DAYS) else None


def settled_balance(total: int, balance: int) -> tuple[int, int]:
    """(amount due, balance afterwards) when `total` meets a customer's balance.

    A negative balance is credit. Together they are conserved: due + after = total + balance.
    """
    due = max(0, total + balance)
    return due, total + balance - due


def amounts(total: int, *, due: int, paid: int, discount: int = 0) -> JsonObject:
    """The amount fields of an invoice that asks `due` and has got `paid`.

    `total` is what the lines come to after `discount` was taken off.
    """
    return {
        "amount_due": due,
        "amount_paid": paid,
        "amount_remaining": due - paid,
        "subtotal": total + discount,
        "subtotal_excluding_tax": total + discount,
        "total": total,
        "total_excluding_tax": total,
    }
