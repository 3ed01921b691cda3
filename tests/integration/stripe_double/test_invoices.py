"""Invoices made by hand: their states, their money, their lines, and what happens by the clock."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
from tests.integration.stripe_double.billing_account import (
    DAY,
    GOOD,
    REFUSED,
    BillingAccount,
    amounts,
)

from stripe_double.resources.settlements import authenticate


@pytest.fixture
def account(shop: Any) -> BillingAccount:
    return BillingAccount(shop)


def conserved(invoice: Any) -> None:
    """Everything that was invoiced is paid, still asked, credited, or moved the balance."""
    moved = (invoice.ending_balance or 0) - (invoice.starting_balance or 0)
    asked = invoice.amount_due + invoice.pre_payment_credit_notes_amount
    assert asked + moved == invoice.total
    assert invoice.amount_paid + invoice.amount_remaining == invoice.amount_due


def test_a_draft_is_finalized_and_paid(account: BillingAccount) -> None:
    draft = account.invoiced(5000, metadata={"order": "7"})
    assert (draft.status, draft.total, draft.billing_reason) == ("draft", 5000, "manual")
    assert (draft.hosted_invoice_url, draft.number) == (None, None)
    opened = account.v1.invoices.finalize_invoice(draft.id)
    assert (opened.status, opened.amount_remaining) == ("open", 5000)
    assert opened.number.endswith("-0001")
    secret = account.v1.invoices.retrieve(draft.id, {"expand": ["confirmation_secret"]})
    assert secret.confirmation_secret.type == "payment_intent"
    paid = account.v1.invoices.pay(draft.id)
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 5000, 0)
    (payment,) = account.v1.invoice_payments.list({"invoice": draft.id}).data
    assert (payment.status, payment.amount_paid, payment.is_default) == ("paid", 5000, True)
    assert account.charged() == 5000
    conserved(paid)
    types = account.event_types()
    wanted = ["invoice.created", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded"]
    assert [kind for kind in types if kind in wanted] == wanted
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.v1.invoices.pay(draft.id)
    assert caught.value.code == "invoice_already_paid"


def test_paying_a_draft_finalizes_it_and_a_refusal_is_a_402(shop: Any) -> None:
    account = BillingAccount(shop, REFUSED)
    draft = account.invoiced()
    with pytest.raises(stripe.CardError):
        account.v1.invoices.pay(draft.id)
    opened = account.v1.invoices.retrieve(draft.id)
    assert (opened.status, opened.attempt_count, opened.attempted) == ("open", 1, True)
    good = account.put_card(GOOD)
    assert account.v1.invoices.pay(draft.id, {"payment_method": good}).status == "paid"


MOVES = {
    "finalize": lambda v1, i: v1.invoices.finalize_invoice(i),
    "pay": lambda v1, i: v1.invoices.pay(i),
    "void": lambda v1, i: v1.invoices.void_invoice(i),
    "uncollectible": lambda v1, i: v1.invoices.mark_uncollectible(i),
    "delete": lambda v1, i: v1.invoices.delete(i),
}


@pytest.mark.parametrize(
    ("road", "possible"),
    [
        ([], {"finalize", "pay", "delete"}),
        (["finalize"], {"pay", "void", "uncollectible"}),
        (["finalize", "pay"], set()),
        (["finalize", "void"], set()),
        (["finalize", "uncollectible"], {"pay", "void"}),
    ],
)
def test_only_legal_moves_happen(
    account: BillingAccount, road: list[str], possible: set[str]
) -> None:
    for move, act in MOVES.items():
        invoice = account.invoiced(100)
        for step in road:
            MOVES[step](account.v1, invoice.id)
        before = account.v1.invoices.retrieve(invoice.id).to_dict()
        if move in possible:
            act(account.v1, invoice.id)
            continue
        with pytest.raises(stripe.InvalidRequestError) as caught:
            act(account.v1, invoice.id)
        assert (caught.value.http_status, caught.value.error.type) == (
            400,
            "invalid_request_error",
        )
        assert account.v1.invoices.retrieve(invoice.id).to_dict() == before


def test_voiding_withdraws_the_payment_intent(account: BillingAccount) -> None:
    opened = account.v1.invoices.finalize_invoice(account.invoiced().id)
    account.v1.invoices.void_invoice(opened.id)
    (payment,) = account.v1.invoice_payments.list({"invoice": opened.id}).data
    intent = account.v1.payment_intents.retrieve(payment.payment.payment_intent)
    assert (payment.status, intent.status) == ("canceled", "canceled")
    assert intent.cancellation_reason == "void_invoice"


def test_what_is_paid_elsewhere_is_not_charged(account: BillingAccount) -> None:
    opened = account.v1.invoices.finalize_invoice(account.invoiced(700).id)
    paid = account.v1.invoices.pay(opened.id, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_paid, paid.amount_paid_off_stripe) == ("paid", 700, 700)
    assert account.charged() == 0
    assert "invoice.payment_succeeded" not in account.event_types()


def test_the_balance_is_used_and_comes_back_when_voided(account: BillingAccount) -> None:
    account.v1.customers.update(account.customer, {"balance": -300})
    opened = account.v1.invoices.finalize_invoice(account.invoiced(1000).id)
    assert (opened.amount_due, opened.starting_balance, opened.ending_balance) == (700, -300, 0)
    conserved(opened)
    assert account.balance() == 0
    account.v1.invoices.void_invoice(opened.id)
    assert account.balance() == -300
    account.v1.customers.update(account.customer, {"balance": 250})
    owed = account.v1.invoices.pay(account.invoiced(1000).id)
    assert (owed.amount_paid, account.balance(), account.charged()) == (1250, 0, 1250)


def test_a_negative_invoice_is_credit(account: BillingAccount) -> None:
    credit = account.v1.invoices.finalize_invoice(account.invoiced(-400).id)
    assert (credit.status, credit.amount_due, credit.ending_balance) == ("paid", 0, -400)
    assert account.balance() == -400


def test_one_that_advances_is_collected_and_retried(shop: Any) -> None:
    account = BillingAccount(shop, REFUSED)
    draft = account.invoiced(900, auto_advance=True)
    account.advance(3700)
    first = account.v1.invoices.retrieve(draft.id)
    assert (first.status, first.attempt_count) == ("open", 1)
    assert first.next_payment_attempt is not None
    account.put_card(GOOD)
    account.advance(3 * DAY)
    paid = account.v1.invoices.retrieve(draft.id)
    assert (paid.status, paid.attempt_count, paid.next_payment_attempt) == ("paid", 2, None)


def test_one_that_is_sent_is_overdue_and_can_be_sent_again(account: BillingAccount) -> None:
    draft = account.invoiced(900, collection_method="send_invoice", days_until_due=5)
    sent = account.v1.invoices.send_invoice(draft.id)
    assert (sent.status, sent.due_date) == ("open", draft.created + 5 * DAY)
    account.advance(5 * DAY + 10)
    assert account.event_types().count("invoice.overdue") == 1
    account.v1.invoices.send_invoice(draft.id)
    assert account.event_types().count("invoice.sent") == 2
    by_card = account.invoiced(900)
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.invoices.send_invoice(by_card.id)


def test_lines_are_added_rewritten_and_taken_off(account: BillingAccount) -> None:
    draft, price = account.invoiced(100), account.price(250, None)
    after = account.v1.invoices.add_lines(
        draft.id,
        {"lines": [{"amount": 40, "description": "Fee"}, {"pricing": {"price": price}}]},
    )
    assert amounts(after.lines) == [100, 40, 250]
    more = {"id": after.lines.data[2].id, "quantity": 3}
    after = account.v1.invoices.update_lines(draft.id, {"lines": [more]})
    assert (after.total, after.amount_due) == (890, 890)
    line = account.v1.invoices.line_items.update(draft.id, after.lines.data[1].id, {"amount": 60})
    assert line.amount == 60
    first, second, _ = after.lines.data
    after = account.v1.invoices.remove_lines(
        draft.id,
        {
            "lines": [
                {"id": first.id, "behavior": "unassign"},
                {"id": second.id, "behavior": "delete"},
            ]
        },
    )
    assert amounts(after.lines) == [750]
    waiting = account.v1.invoice_items.list({"customer": account.customer, "pending": True}).data
    assert [item.amount for item in waiting] == [100]
    account.v1.invoices.finalize_invoice(draft.id)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 1}]})
    assert caught.value.code == "invoice_not_editable"


def test_invoice_items_wait_change_and_are_frozen(account: BillingAccount) -> None:
    items = account.v1.invoice_items
    item = items.create({"customer": account.customer, "amount": 10, "currency": "usd"})
    items.update(item.id, {"amount": 25, "description": "More"})
    draft = account.v1.invoices.create(
        {"customer": account.customer, "pending_invoice_items_behavior": "include"}
    )
    assert amounts(draft.lines) == [25]
    items.update(item.id, {"amount": 30})
    assert account.v1.invoices.retrieve(draft.id).total == 30
    account.v1.invoices.delete(draft.id)
    assert items.retrieve(item.id).invoice is None
    again = account.v1.invoices.create(
        {"customer": account.customer, "pending_invoice_items_behavior": "include"}
    )
    account.v1.invoices.finalize_invoice(again.id)
    for act in (lambda: items.delete(item.id), lambda: items.update(item.id, {"amount": 1})):
        with pytest.raises(stripe.InvalidRequestError):
            act()


def test_a_preview_stores_nothing(account: BillingAccount) -> None:
    made = account.subscribed(account.price(1000))
    before = account.double.call(lambda control: len(control.ledger("effect")))
    preview = account.v1.invoices.create_preview({"subscription": made.id})
    assert preview.id.startswith("upcoming_in_")
    assert amounts(preview.lines) == [1000]
    gone = account.v1.invoices.create_preview(
        {"subscription": made.id, "subscription_details": {"cancel_now": True}}
    )
    assert gone.total == -1000
    extra = account.v1.invoices.create_preview(
        {
            "customer": account.customer,
            "subscription_details": {"items": [{"price": account.price(700), "quantity": 2}]},
            "invoice_items": [{"amount": 55, "currency": "usd"}],
        }
    )
    assert amounts(extra.lines) == [1400, 55]
    after = account.double.call(lambda control: control.ledger("effect"))[before:]
    assert {entry["object"] for entry in after} <= {"price", "event"}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.v1.invoices.create_preview({"customer": account.customer})
    assert caught.value.code == "invoice_upcoming_none"


def test_a_card_that_needs_its_buyer_waits_for_him(shop: Any) -> None:
    account = BillingAccount(shop, "pm_card_authenticationRequired")
    made = account.subscribed(account.price(1200))
    assert made.status == "incomplete"
    assert "invoice.payment_action_required" in account.event_types()
    (payment,) = account.v1.invoice_payments.list({"invoice": made.latest_invoice}).data
    intent = payment.payment.payment_intent
    assert account.v1.payment_intents.retrieve(intent).status == "requires_action"

    def prove() -> None:
        with account.double.double.world.transaction() as tx:
            authenticate(tx, tx.get("payment_intent", intent), succeeds=True)

    account.double.call(lambda _: prove())
    assert account.v1.subscriptions.retrieve(made.id).status == "active"
    assert account.v1.invoices.retrieve(made.latest_invoice).status == "paid"
    assert account.charged() == 1200


def test_the_client_pays_a_first_invoice_that_waits_for_him(shop: Any) -> None:
    account = BillingAccount(shop, None)
    made = account.subscribed(
        account.price(1200),
        payment_behavior="default_incomplete",
        payment_settings={"save_default_payment_method": "on_subscription"},
        expand=["latest_invoice.confirmation_secret"],
    )
    assert made.latest_invoice.confirmation_secret.client_secret.startswith("pi_")
    (payment,) = account.v1.invoice_payments.list({"invoice": made.latest_invoice.id}).data
    intents = account.v1.payment_intents
    with pytest.raises(stripe.CardError):
        intents.confirm(payment.payment.payment_intent, {"payment_method": REFUSED})
    assert account.v1.subscriptions.retrieve(made.id).status == "incomplete"
    intents.confirm(payment.payment.payment_intent, {"payment_method": GOOD})
    active = account.v1.subscriptions.retrieve(made.id)
    assert (active.status, account.charged()) == ("active", 1200)
    assert active.default_payment_method is not None


def test_an_attached_payment_pays_a_part(account: BillingAccount) -> None:
    opened = account.v1.invoices.finalize_invoice(account.invoiced(1000).id)
    method = account.put_card(GOOD)
    intent = account.v1.payment_intents.create(
        {
            "amount": 400,
            "currency": "usd",
            "customer": account.customer,
            "payment_method": method,
            "confirm": True,
            "off_session": True,
        }
    )
    part = account.v1.invoices.attach_payment(opened.id, {"payment_intent": intent.id})
    assert (part.status, part.amount_paid, part.amount_remaining) == ("open", 400, 600)
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.invoices.attach_payment(opened.id, {"payment_intent": intent.id})
    paid = account.v1.invoices.pay(opened.id)
    assert (paid.status, paid.amount_paid) == ("paid", 1000)
    payments = account.v1.invoice_payments.list({"invoice": opened.id}).data
    assert sorted(one.amount_paid for one in payments) == [400, 600]
    assert account.charged() == 1000
    conserved(paid)
