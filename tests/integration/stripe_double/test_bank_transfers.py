"""Payments by bank transfer: the customer sends money, and the payments that wait take it."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from stripe_double.resources.bank_transfers import next_to_fund

HOW = {
    "payment_method_data": {"type": "customer_balance"},
    "payment_method_options": {
        "customer_balance": {
            "funding_type": "bank_transfer",
            "bank_transfer": {"type": "jp_bank_transfer"},
        }
    },
}


def wait(client: Any, customer: Any, amount: int) -> Any:
    return client.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "jpy",
            "customer": customer.id,
            "allowed_payment_method_types": ["customer_balance"],
            "confirm": True,
            **HOW,
        }
    )


def send(client: Any, customer: Any, amount: int) -> None:
    funding = client.v1.test_helpers.customers
    funding.fund_cash_balance(customer.id, {"amount": amount, "currency": "jpy"})


def events(client: Any, kind: str) -> list[Any]:
    return [e.data.object for e in client.v1.events.list({"limit": 100, "type": kind}).data]


def held(client: Any, customer: Any) -> int:
    """What the balance says; what its movements add up to must be the same."""
    cash = client.v1.customers.cash_balance.retrieve(customer.id)
    moved = events(client, "customer_cash_balance_transaction.created")
    assert cash.available["jpy"] == sum(m.net_amount for m in moved if m.customer == customer.id)
    return int(cash.available["jpy"])


def test_a_transfer_pays_in_part_then_in_full_and_the_rest_stays(client: Any) -> None:
    customer = client.v1.customers.create({})
    intent = wait(client, customer, 2000)
    shown = intent.next_action.display_bank_transfer_instructions
    assert (intent.status, shown.amount_remaining) == ("requires_action", 2000)
    send(client, customer, 500)
    part = client.v1.payment_intents.retrieve(intent.id)
    shown = part.next_action.display_bank_transfer_instructions
    assert (part.status, part.amount_received, shown.amount_remaining) == (
        "requires_action",
        0,
        1500,
    )
    assert [i.id for i in events(client, "payment_intent.partially_funded")] == [intent.id]
    assert events(client, "cash_balance.funds_available") == []
    send(client, customer, 1600)
    paid = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (paid.status, paid.amount_received, paid.next_action) == ("succeeded", 2000, None)
    assert paid.latest_charge.payment_method_details.type == "customer_balance"
    assert held(client, customer) == 100
    assert len(events(client, "cash_balance.funds_available")) == 1
    with pytest.raises(stripe.APIError) as refused:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert refused.value.http_status == 501
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.delete(customer.id)


def test_canceling_gives_back_what_was_taken(client: Any) -> None:
    customer = client.v1.customers.create({})
    first = wait(client, customer, 2000)
    send(client, customer, 500)
    second = wait(client, customer, 400)
    client.v1.payment_intents.cancel(first.id)
    assert client.v1.payment_intents.retrieve(second.id).status == "succeeded"
    assert held(client, customer) == 100
    assert wait(client, customer, 100).status == "succeeded"
    assert held(client, customer) == 0


def test_a_payment_under_way_is_not_changed(client: Any) -> None:
    customer = client.v1.customers.create({})
    intent = wait(client, customer, 2000)
    with pytest.raises(stripe.APIError) as refused:
        client.v1.payment_intents.update(intent.id, {"amount": 100})
    assert refused.value.http_status == 501
    assert (
        client.v1.payment_intents.update(intent.id, {"metadata": {"a": "b"}}).metadata["a"] == "b"
    )


def test_the_exact_sum_comes_before_the_oldest() -> None:
    assert next_to_fund({"old": 2000, "new": 500}, 500) == "new"
    assert next_to_fund({"old": 2000, "new": 500}, 700) == "old"
    assert next_to_fund({}, 700) is None
