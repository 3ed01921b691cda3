"""Credit notes: an open invoice asks less, money of a paid one goes back; never more than all."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
from tests.integration.stripe_double.billing_account import BillingAccount


@pytest.fixture
def account(shop: Any) -> BillingAccount:
    return BillingAccount(shop)


def opened(account: BillingAccount, amount: int = 1000) -> Any:
    return account.v1.invoices.finalize_invoice(account.invoiced(amount).id)


def test_an_open_invoice_asks_less_and_again_more_when_voided(account: BillingAccount) -> None:
    invoice = opened(account)
    note = account.v1.credit_notes.create({"invoice": invoice.id, "amount": 300, "memo": "Sorry"})
    assert (note.type, note.pre_payment_amount, note.post_payment_amount) == ("pre_payment", 300, 0)
    after = account.v1.invoices.retrieve(invoice.id)
    assert (after.total, after.amount_due, after.amount_remaining) == (1000, 700, 700)
    assert after.pre_payment_credit_notes_amount == 300
    voided = account.v1.credit_notes.void_credit_note(note.id)
    assert (voided.status, voided.voided_at) == ("void", voided.created)
    assert account.v1.invoices.retrieve(invoice.id).amount_remaining == 1000
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.credit_notes.void_credit_note(note.id)
    account.v1.credit_notes.create({"invoice": invoice.id, "amount": 250})
    paid = account.v1.invoices.pay(invoice.id)
    assert (paid.amount_paid, account.charged()) == (750, 750)
    kinds = [kind for kind in account.event_types() if kind.startswith("credit_note")]
    assert kinds == ["credit_note.created", "credit_note.voided", "credit_note.created"]


def test_a_whole_credit_of_an_open_invoice_pays_it(account: BillingAccount) -> None:
    invoice = opened(account)
    account.v1.credit_notes.create({"invoice": invoice.id, "amount": 1000})
    after = account.v1.invoices.retrieve(invoice.id)
    assert (after.status, after.amount_paid, after.amount_remaining) == ("paid", 0, 0)
    assert account.charged() == 0


def test_paid_money_is_refunded_credited_or_returned_elsewhere(account: BillingAccount) -> None:
    invoice = account.v1.invoices.pay(account.invoiced(1000).id)
    parts = {"refund_amount": 500, "credit_amount": 200, "out_of_band_amount": 100}
    preview = account.v1.credit_notes.preview({"invoice": invoice.id, "amount": 800, **parts})
    note = account.v1.credit_notes.create(
        {"invoice": invoice.id, "amount": 800, "reason": "order_change", **parts}
    )
    assert preview.post_payment_amount == note.post_payment_amount == 800
    assert note.number == f"{invoice.number}-CN-01"
    assert (note.refunds[0].amount_refunded, note.out_of_band_amount) == (500, 100)
    assert account.balance() == -200
    (charge,) = account.v1.charges.list({"customer": account.customer}).data
    assert charge.amount_refunded == 500
    after = account.v1.invoices.retrieve(invoice.id)
    assert (after.status, after.post_payment_credit_notes_amount) == ("paid", 800)
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.credit_notes.create({"invoice": invoice.id, "amount": 201, "credit_amount": 201})
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.credit_notes.void_credit_note(note.id)
    assert [n.id for n in account.v1.credit_notes.list({"invoice": invoice.id}).data] == [note.id]


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": 1001, "credit_amount": 1001},
        {"amount": 500},
        {"amount": 500, "credit_amount": 400},
        {"amount": 500, "credit_amount": 600, "refund_amount": -100},
        {},
    ],
)
def test_what_does_not_add_up_is_refused(account: BillingAccount, wrong: dict[str, int]) -> None:
    invoice = account.v1.invoices.pay(account.invoiced(1000).id)
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.credit_notes.create({"invoice": invoice.id, **wrong})
    assert account.v1.credit_notes.list().data == []
    assert account.v1.invoices.retrieve(invoice.id).post_payment_credit_notes_amount == 0


def test_refunds_made_before_count(account: BillingAccount) -> None:
    invoice = account.v1.invoices.pay(account.invoiced(1000).id)
    (charge,) = account.v1.charges.list({"customer": account.customer}).data
    refund = account.v1.refunds.create({"charge": charge.id, "amount": 600})
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.credit_notes.create({"invoice": invoice.id, "amount": 500, "credit_amount": 500})
    note = account.v1.credit_notes.create(
        {"invoice": invoice.id, "amount": 600, "refunds": [{"refund": refund.id}]}
    )
    assert (note.refunds[0].refund, account.balance()) == (refund.id, 0)


def test_lines_name_what_is_credited(account: BillingAccount) -> None:
    made = account.subscribed(account.price(250), quantity=4)
    (line,) = account.v1.invoices.retrieve(made.latest_invoice).lines.data
    note = account.v1.credit_notes.create(
        {
            "invoice": made.latest_invoice,
            "credit_amount": 530,
            "lines": [
                {"type": "invoice_line_item", "invoice_line_item": line.id, "quantity": 2},
                {"type": "custom_line_item", "description": "Good will", "unit_amount": 30},
            ],
        }
    )
    assert [one.amount for one in account.v1.credit_notes.line_items.list(note.id).data] == [
        500,
        30,
    ]
    assert account.balance() == -530
