"""Invoices as records: made as drafts, with lines and totals; sums are computed here only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stripe_double.engine.errors import not_modelled
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import discounts, invoice_discounts
from stripe_double.resources.invoice_lines import UNSAVED, saved
from stripe_double.resources.invoice_states import DRAFT_SECONDS, amounts
from stripe_double.wire.lists import listing


def new_invoice(
    tx: Transaction,
    *,
    customer: Record,
    subscription: Record | None,
    lines: Iterable[Record],
    currency: str,
    billing_reason: str,
    auto_advance: bool,
    **values: object,
) -> JsonObject:
    """Create and announce a draft with these lines; `values` are further fields.

    With `auto_advance` the clock finalizes it after an hour.
    """
    invoice = tx.put(
        {
            **draft(
                tx,
                invoice_id=tx.new_id("invoice"),
                customer=customer,
                subscription=subscription,
                lines=lines,
                currency=currency,
                billing_reason=billing_reason,
            ),
            "auto_advance": auto_advance,
            "automatically_finalizes_at": tx.now + DRAFT_SECONDS if auto_advance else None,
            "next_payment_attempt": tx.now + DRAFT_SECONDS if auto_advance else None,
            **values,
        }
    )
    if invoice["collection_method"] == "send_invoice":
        invoice = tx.put({**invoice, "next_payment_attempt": None})
    used = [part["discount"] for part in invoice["total_discount_amounts"] if part["amount"]]
    discounts.note_use(tx, used)
    tx.emit("invoice.created", invoice)
    return invoice


def draft(
    tx: Transaction,
    *,
    invoice_id: str,
    customer: Record,
    subscription: Record | None,
    lines: Iterable[Record],
    currency: str,
    billing_reason: str,
) -> JsonObject:
    """A draft that is not stored. Without `invoice_id` its lines keep the ids they have."""
    lines = [saved(tx, line, invoice_id) if invoice_id else line for line in lines]
    by_subscription = {} if subscription is None else _of_subscription(tx, subscription)
    given = [] if subscription is None else subscription["discounts"]
    lines, discounted = invoice_discounts.applied(tx, lines, given)
    off = invoice_discounts.total_off(discounted)
    total = sum(int(line["amount"]) for line in lines) - off
    return {
        **_identity(tx, invoice_id, customer, currency),
        **_state(billing_reason),
        **amounts(total, due=max(0, total), paid=0, discount=off),
        **discounted,
        "lines": listing(lines, url=f"/v1/invoices/{invoice_id or 'upcoming'}/lines"),
        **by_subscription,
    }


def with_lines(invoice: Record, lines: Sequence[Record]) -> JsonObject:
    """The fields of a draft that now has exactly these lines."""
    if invoice["discounts"]:
        raise not_modelled("other lines on a draft that has discounts", param="lines")
    total = sum(int(line["amount"]) for line in lines)
    return {
        "lines": {**invoice["lines"], "data": list(lines)},
        **amounts(total, due=max(0, total), paid=0),
    }


def _of_subscription(tx: Transaction, subscription: Record) -> JsonObject:
    method = subscription["collection_method"]
    days = subscription["days_until_due"]
    return {
        "collection_method": method,
        "default_payment_method": None,
        "description": subscription["invoice_settings"]["description"],
        "due_date": tx.now + (days or 0) * 86_400 if method == "send_invoice" else None,
        "footer": subscription["invoice_settings"]["footer"],
        "parent": {
            "quote_details": None,
            "subscription_details": {
                "metadata": subscription["metadata"],
                "subscription": subscription["id"],
            },
            "type": "subscription_details",
        },
    }


def _state(billing_reason: str) -> JsonObject:
    return {
        "amount_overpaid": 0,
        "amount_paid_off_stripe": 0,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatically_finalizes_at": None,
        "billing_reason": billing_reason,
        "ending_balance": None,
        "next_payment_attempt": None,
        "number": None,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": 0,
        "status": "draft",
        "status_details": None,
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "total_discount_amounts": [],
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    }


def _identity(tx: Transaction, invoice_id: str, customer: Record, currency: str) -> JsonObject:
    return {
        "id": invoice_id or UNSAVED,
        "object": "invoice",
        "account_country": tx.options.account_country,
        "account_name": tx.options.account_name,
        "account_tax_ids": None,
        "application": None,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "collection_method": "charge_automatically",
        "confirmation_secret": None,
        "created": tx.now,
        "currency": currency,
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "livemode": False,
        "metadata": {},
        "on_behalf_of": None,
        "parent": None,
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": tx.now,
        "period_start": tx.now,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "statement_descriptor": None,
        "test_clock": customer["test_clock"],
        "webhooks_delivered_at": tx.now,
    }
