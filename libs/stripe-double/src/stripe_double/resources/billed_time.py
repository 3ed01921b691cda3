"""What was asked for each subscription item's time: the basis of credits in flexible billing."""

from __future__ import annotations

from stripe_double.engine.records import Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.invoice_discounts import total_off
from stripe_double.resources.proration import Debit

_COLLECTION = "billed_time"


def latest_debit(tx: Transaction, item_id: str) -> Debit | None:
    """The last time of this item that was asked money for; None: it was never billed."""
    kept = tx.store.find(_COLLECTION, item_id)
    if kept is None:
        return None
    return Debit(kept["start"], kept["end"], kept["amount"])


def note_debit(tx: Transaction, item_id: str, debit: Debit, source: Record) -> None:
    """From now on a credit for this item gives back from this debit. `source` is Stripe's
    `credited_items`: which invoice line, or which invoice item, asked for it."""
    tx.keep(
        _COLLECTION,
        {
            "id": item_id,
            "start": debit.start,
            "end": debit.end,
            "amount": debit.amount_minor,
            "source": source,
        },
    )


def source_of(tx: Transaction, item_id: str) -> Record | None:
    """Where the last debit of this item stands, as `credited_items`."""
    kept = tx.store.find(_COLLECTION, item_id)
    found: Record | None = None if kept is None else kept["source"]
    return found


def note_invoice(tx: Transaction, invoice: Record) -> None:
    """Every line of this invoice that asks money for an item's time becomes its last debit."""
    for line in invoice["lines"]["data"]:
        details = line["parent"]["subscription_item_details"]
        if details is None or line["amount"] < 0:
            continue
        source = {
            "invoice_item": None,
            "invoice_line_item_details": {
                "invoice": invoice["id"],
                "invoice_line_items": [line["id"]],
            },
            "type": "invoice_line_items",
        }
        period = line["period"]
        debit = Debit(period["start"], period["end"], line["amount"] - total_off(line))
        note_debit(tx, details["subscription_item"], debit, source)
