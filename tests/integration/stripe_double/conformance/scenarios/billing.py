"""Invoices, their items and payments, credit notes."""

from __future__ import annotations

from tests.integration.stripe_double.conformance.in_process import Shop
from tests.integration.stripe_double.conformance.scenarios import stock


def items(shop: Shop) -> None:
    customer = stock.payer(shop).id
    items = shop.v1.invoice_items
    made = items.create(
        {"customer": customer, "amount": 700, "currency": "usd", "description": "work"}
    )
    items.create({"customer": customer, "pricing": {"price": stock.once(shop)}, "quantity": 2})
    items.update(made.id, {"amount": 800, "metadata": {"a": "b"}})
    items.retrieve(made.id)
    items.list({"customer": customer, "pending": True})
    gone = items.create({"customer": customer, "amount": 1, "currency": "usd"})
    items.delete(gone.id)
    invoice = shop.v1.invoices.create(
        {"customer": customer, "pending_invoice_items_behavior": "include"}
    )
    shop.v1.invoices.finalize_invoice(invoice.id)


def paid(shop: Shop) -> None:
    invoices = shop.v1.invoices
    customer = stock.payer(shop).id
    draft = stock.draft_invoice(shop, customer, description="by hand", metadata={"a": "b"})
    invoices.update(draft.id, {"description": "for work", "footer": "thanks"})
    invoices.line_items.list(draft.id)
    opened = invoices.finalize_invoice(draft.id, {"auto_advance": False})
    invoices.pay(opened.id)
    invoices.retrieve(opened.id, {"expand": ["payments", "customer"]})
    invoices.list({"customer": customer, "status": "paid"})
    payments = shop.v1.invoice_payments.list({"invoice": opened.id}).data
    shop.v1.invoice_payments.retrieve(payments[0].id)


def paid_in_parts(shop: Shop) -> None:
    customer = stock.payer(shop)
    opened = stock.open_invoice(shop, customer.id)
    part = shop.v1.payment_intents.create(
        {
            "amount": 300,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": customer.invoice_settings.default_payment_method,
            "confirm": True,
            "off_session": True,
        }
    )
    shop.v1.invoices.attach_payment(opened.id, {"payment_intent": part.id})
    shop.v1.invoices.pay(opened.id)


def sent(shop: Shop) -> None:
    customer = stock.payer(shop).id
    draft = stock.draft_invoice(shop, customer, collection_method="send_invoice", days_until_due=5)
    shop.v1.invoices.send_invoice(draft.id)
    shop.control.advance(10 * stock.DAY)
    shop.v1.invoices.pay(draft.id, {"paid_out_of_band": True})


def lines(shop: Shop) -> None:
    invoices = shop.v1.invoices
    draft = stock.draft_invoice(shop, stock.payer(shop).id)
    invoices.add_lines(draft.id, {"lines": [{"amount": 400, "description": "more"}]})
    line = invoices.line_items.list(draft.id).data[0].id
    invoices.line_items.update(draft.id, line, {"description": "other"})
    invoices.update_lines(draft.id, {"lines": [{"id": line, "description": "third"}]})
    invoices.remove_lines(draft.id, {"lines": [{"id": line, "behavior": "delete"}]})


def ends(shop: Shop) -> None:
    invoices = shop.v1.invoices
    customer = stock.payer(shop).id
    invoices.void_invoice(stock.open_invoice(shop, customer).id)
    invoices.mark_uncollectible(stock.open_invoice(shop, customer).id)
    invoices.delete(stock.draft_invoice(shop, customer).id)


def automatic(shop: Shop) -> None:
    customer = stock.payer(shop).id
    stock.draft_invoice(shop, customer, auto_advance=True)
    broke = stock.payer(shop, "pm_card_chargeCustomerFail").id
    stock.draft_invoice(shop, broke, auto_advance=True)
    shop.control.advance(20 * stock.DAY)


def preview(shop: Shop) -> None:
    customer = stock.payer(shop).id
    price = stock.monthly(shop)
    shop.v1.invoices.create_preview(
        {"customer": customer, "subscription_details": {"items": [{"price": price}]}}
    )
    subscription = stock.subscribed(shop, customer=customer, items=[{"price": price}])
    shop.v1.invoices.create_preview({"subscription": subscription.id})
    item = subscription["items"].data[0].id
    shop.v1.invoices.create_preview(
        {
            "subscription": subscription.id,
            "subscription_details": {
                "items": [{"id": item, "quantity": 4}],
                "proration_behavior": "always_invoice",
            },
        }
    )


def credit_notes(shop: Shop) -> None:
    notes = shop.v1.credit_notes
    opened = stock.open_invoice(shop, stock.payer(shop).id)
    made = notes.create({"invoice": opened.id, "amount": 200, "reason": "duplicate"})
    notes.update(made.id, {"memo": "sorry", "metadata": {"a": "b"}})
    notes.retrieve(made.id)
    notes.line_items.list(made.id)
    notes.list({"invoice": opened.id})
    notes.void_credit_note(made.id)
    paid = stock.paid_invoice(shop)
    notes.preview({"invoice": paid.id, "amount": 300, "credit_amount": 300})
    notes.preview_lines.list({"invoice": paid.id, "amount": 300, "credit_amount": 300})
    notes.create({"invoice": paid.id, "amount": 300, "credit_amount": 300})
    notes.create({"invoice": paid.id, "amount": 100, "refund_amount": 100})


def paid_from_credit(shop: Shop) -> None:
    customer = stock.payer(shop).id
    shop.v1.customers.balance_transactions.create(customer, {"amount": -500, "currency": "usd"})
    shop.v1.invoices.pay(stock.open_invoice(shop, customer).id)


SCENARIOS = (
    items,
    paid,
    paid_in_parts,
    sent,
    lines,
    ends,
    automatic,
    preview,
    credit_notes,
    paid_from_credit,
)
