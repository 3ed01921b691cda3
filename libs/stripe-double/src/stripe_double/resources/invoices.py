"""Invoices of subscriptions: draft -> open -> paid, payment attempts, and their retries."""

from __future__ import annotations

from collections.abc import Iterable

from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import invoice_payments, payment_intents, payment_methods
from stripe_double.resources.invoice_lines import new_line
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, listing, page

LIFECYCLE = Lifecycle(
    "Invoice",
    {
        ("draft", "finalize"): "open",
        ("open", "pay"): "paid",
        ("open", "void"): "void",
        ("open", "mark uncollectible"): "uncollectible",
        ("uncollectible", "pay"): "paid",
    },
)

DRAFT_SECONDS = 3600
"""A renewal stays a draft for an hour, as at Stripe."""

RETRY_DAYS = (3, 5, 7)
"""Days from each failed attempt to the next; after the last one the subscription is canceled."""


def new_invoice(
    tx: Transaction,
    *,
    customer: Record,
    subscription: Record,
    items: Iterable[Record],
    billing_reason: str,
    auto_advance: bool,
) -> JsonObject:
    """Create and announce a draft for these subscription items."""
    invoice_id = tx.new_id("invoice")
    free = subscription["status"] == "trialing"
    lines = [new_line(tx, invoice_id, subscription, item, free=free) for item in items]
    total = sum(line["amount"] for line in lines)
    invoice = tx.put(
        {
            **_identity(tx, invoice_id, customer, subscription),
            "amount_due": total,
            "amount_overpaid": 0,
            "amount_paid": 0,
            "amount_paid_off_stripe": 0,
            "amount_remaining": total,
            "amount_shipping": 0,
            "attempt_count": 0,
            "attempted": False,
            "auto_advance": auto_advance,
            "automatically_finalizes_at": tx.now + DRAFT_SECONDS if auto_advance else None,
            "billing_reason": billing_reason,
            "ending_balance": None,
            "lines": listing(lines, url=f"/v1/invoices/{invoice_id}/lines"),
            "next_payment_attempt": tx.now + DRAFT_SECONDS if auto_advance else None,
            "number": None,
            "status": "draft",
            "status_details": None,
            "status_transitions": {
                "finalized_at": None,
                "marked_uncollectible_at": None,
                "paid_at": None,
                "voided_at": None,
            },
            "subtotal": total,
            "subtotal_excluding_tax": total,
            "total": total,
            "total_discount_amounts": [],
            "total_excluding_tax": total,
            "total_pretax_credit_amounts": [],
            "total_taxes": [],
            "webhooks_delivered_at": tx.now,
        }
    )
    tx.emit("invoice.created", invoice)
    return invoice


def _identity(
    tx: Transaction, invoice_id: str, customer: Record, subscription: Record
) -> JsonObject:
    return {
        "id": invoice_id,
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
        "currency": subscription["currency"],
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
        "parent": {
            "quote_details": None,
            "subscription_details": {
                "metadata": subscription["metadata"],
                "subscription": subscription["id"],
            },
            "type": "subscription_details",
        },
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": tx.now,
        "period_start": tx.now,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "test_clock": None,
    }


def subscription_of(invoice: Record) -> str:
    """The id of the subscription that the invoice bills."""
    return str(invoice["parent"]["subscription_details"]["subscription"])


def finalize(tx: Transaction, invoice: Record) -> JsonObject:
    """Number the draft and open it; one that asks for money gets its payment intent."""
    customer = tx.store.find("customer", invoice["customer"]) or {}
    sequence = customer["next_invoice_sequence"]
    tx.keep("customer", {**customer, "next_invoice_sequence": sequence + 1})
    after = tx.put(
        {
            **invoice,
            "automatically_finalizes_at": None,
            "auto_advance": True,
            "effective_at": tx.now,
            "ending_balance": 0,
            "number": f"{customer['invoice_prefix']}-{sequence:04d}",
            "status": LIFECYCLE.next(invoice["status"], "finalize"),
            "status_transitions": {**invoice["status_transitions"], "finalized_at": tx.now},
        }
    )
    if after["total"] > 0:
        intent = payment_intents.new_payment_intent(
            tx,
            amount_minor=after["total"],
            currency=after["currency"],
            customer=after["customer"],
            description="Subscription creation"
            if after["billing_reason"] == "subscription_create"
            else "Subscription update",
        )
        invoice_payments.new_invoice_payment(tx, after, intent)
    tx.emit("invoice.finalized", after)
    return after


def pay(
    tx: Transaction, invoice: Record, method: Record, *, decline_code: str | None = None
) -> JsonObject:
    """Try to collect an open invoice with a card; `decline_code` makes the bank refuse."""
    payment = invoice_payments.of_invoice(tx, invoice)
    if payment is None:
        return _mark_paid(tx, invoice, attempted=False)
    intent = tx.get("payment_intent", payment["payment"]["payment_intent"])
    purpose = {"invoice": invoice["id"], "subscription": subscription_of(invoice)}
    payment_intents.attempt(tx, intent, method, decline_code=decline_code, purpose=purpose)
    if decline_code is not None:
        return _note_failure(tx, invoice)
    invoice_payments.mark_paid(tx, payment)
    return _mark_paid(tx, invoice, attempted=True)


def _mark_paid(tx: Transaction, invoice: Record, *, attempted: bool) -> JsonObject:
    after = tx.put(
        {
            **invoice,
            "amount_paid": invoice["total"],
            "amount_remaining": 0,
            "attempt_count": invoice["attempt_count"] + attempted,
            "attempted": True,
            "auto_advance": False,
            "next_payment_attempt": None,
            "status": LIFECYCLE.next(invoice["status"], "pay"),
            "status_transitions": {**invoice["status_transitions"], "paid_at": tx.now},
        }
    )
    tx.emit("invoice.paid", after)
    tx.emit("invoice.payment_succeeded", after)
    return after


def _note_failure(tx: Transaction, invoice: Record) -> JsonObject:
    attempts = invoice["attempt_count"] + 1
    retry = tx.now + RETRY_DAYS[attempts - 1] * 86_400 if attempts <= len(RETRY_DAYS) else None
    after = tx.put(
        {
            **invoice,
            "attempt_count": attempts,
            "attempted": True,
            "auto_advance": retry is not None,
            "next_payment_attempt": retry,
        }
    )
    tx.emit("invoice.payment_failed", after)
    return after


def due(invoice: Record) -> int | None:
    """When the clock must finalize or retry this invoice."""
    if invoice["status"] == "draft":
        return invoice["automatically_finalizes_at"]  # type: ignore[no-any-return]
    if invoice["status"] == "open":
        return invoice["next_payment_attempt"]  # type: ignore[no-any-return]
    return None


def default_decline_code(tx: Transaction, method: Record) -> str | None:
    """Why the card's bank would refuse now."""
    return payment_methods.decline_code_of(tx, method["id"])


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/invoices/{id}"""
    return dict(tx.get("invoice", call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/invoices"""
    params = call.params
    where = equal_to(params, "customer", "status", "collection_method")
    found = created_within(tx.newest("invoice", where=where), params)
    if "subscription" in params:
        found = (i for i in found if subscription_of(i) == params["subscription"])
    return page(found, params, url="/v1/invoices")


OPERATIONS = (
    operation(
        "invoices.list",
        "GET /v1/invoices",
        list_all,
        "customer status subscription collection_method",
    ),
    operation("invoices.retrieve", "GET /v1/invoices/{id}", retrieve),
)
