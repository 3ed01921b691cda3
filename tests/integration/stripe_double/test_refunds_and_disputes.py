"""Money that goes back: refunds, disputes, early fraud warnings, and the balance they leave."""

from __future__ import annotations

from typing import Any

import pytest
import stripe


def paid(client: Any, method: str = "pm_card_visa", amount: int = 2000, **more: Any) -> Any:
    return client.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "usd",
            "payment_method": method,
            "allowed_payment_method_types": ["card"],
            "confirm": True,
            **more,
        }
    )


def types(client: Any) -> list[str]:
    return [e.type for e in reversed(client.v1.events.list({"limit": 100}).data)]


def balance(client: Any) -> int:
    now = client.v1.balance.retrieve()
    return sum(part.amount for part in [*now.available, *now.pending])


def test_a_charge_is_refunded_in_parts_and_never_beyond_what_was_taken(client: Any) -> None:
    intent = paid(client)
    assert balance(client) == 2000 - 88
    first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 500})
    assert (first.status, first.amount) == ("succeeded", 500)
    assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 500
    with pytest.raises(stripe.InvalidRequestError, match="greater than"):
        client.v1.refunds.create({"charge": intent.latest_charge, "amount": 1501})
    client.v1.refunds.create({"charge": intent.latest_charge, "reason": "requested_by_customer"})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"charge": intent.latest_charge})
    assert caught.value.code == "charge_already_refunded"
    charge = client.v1.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})
    assert (charge.refunded, charge.amount_refunded) == (True, 2000)
    assert [refund.amount for refund in charge.refunds.data] == [1500, 500]
    assert balance(client) == -88
    assert types(client)[-4:] == ["charge.refunded", "refund.created"] * 2


def test_a_refund_that_fails_later_gives_the_money_back(client: Any, double: Any) -> None:
    intent = paid(client, "pm_card_refundFail")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == "succeeded"
    double.call(lambda control: control.advance(10))
    after = client.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (after.status, after.failure_balance_transaction.amount) == ("failed", 2000)
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.refunded, charge.amount_refunded) == (False, 0)
    assert balance(client) == 2000 - 88
    assert types(client)[-3:] == ["refund.updated", "charge.refund.updated", "refund.failed"]


def test_a_pending_refund_succeeds_later_and_cannot_be_canceled(client: Any, double: Any) -> None:
    intent = paid(client, "pm_card_pendingRefund")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == "pending"
    with pytest.raises(stripe.InvalidRequestError, match="cancel"):
        client.v1.refunds.cancel(refund.id)
    double.call(lambda control: control.advance(10))
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"


def test_a_dispute_takes_the_money_and_evidence_wins_it_back(client: Any) -> None:
    intent = paid(client, "pm_card_createDispute")
    assert types(client)[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    dispute = client.v1.disputes.list({"payment_intent": intent.id}).data[0]
    assert (dispute.status, dispute.amount, dispute.reason) == (
        "needs_response",
        2000,
        "fraudulent",
    )
    assert balance(client) == -88 - 1500
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_disputed"
    staged = client.v1.disputes.update(
        dispute.id, {"evidence": {"customer_name": "Ada"}, "submit": False}
    )
    assert (staged.status, staged.evidence_details.has_evidence) == ("needs_response", True)
    won = client.v1.disputes.update(
        dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}}
    )
    assert (won.status, len(won.balance_transactions)) == ("won", 2)
    assert balance(client) == 2000 - 88 - 1500
    assert types(client)[-3:] == [
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.close(dispute.id)


def test_a_dispute_nobody_answers_is_lost(client: Any, double: Any) -> None:
    intent = paid(client, "pm_card_createDisputeProductNotReceived")
    double.call(lambda control: control.advance(10 * 86_400))
    dispute = client.v1.disputes.list({"payment_intent": intent.id}).data[0]
    assert (dispute.status, dispute.evidence_details.past_due) == ("lost", True)


def test_an_inquiry_takes_nothing_and_may_be_refunded(client: Any) -> None:
    intent = paid(client, "pm_card_createDisputeInquiry")
    inquiry = client.v1.disputes.list({"payment_intent": intent.id}).data[0]
    assert (inquiry.status, inquiry.balance_transactions) == ("warning_needs_response", [])
    client.v1.refunds.create({"payment_intent": intent.id})
    assert client.v1.disputes.retrieve(inquiry.id).status == "warning_closed"
    assert balance(client) == -88


def test_an_escalated_inquiry_takes_only_what_was_not_refunded(client: Any) -> None:
    intent = paid(client, "pm_card_createDisputeInquiry")
    inquiry = client.v1.disputes.list({"payment_intent": intent.id}).data[0]
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 700})
    escalated = client.v1.disputes.update(
        inquiry.id, {"evidence": {"uncategorized_text": "escalate_inquiry_evidence"}}
    )
    assert (escalated.status, escalated.amount) == ("needs_response", 1300)
    assert balance(client) == -88 - 1500


def test_a_warning_of_fraud_is_actionable_until_the_refund(client: Any) -> None:
    intent = paid(client, "pm_card_createIssuerFraudRecord")
    warning = client.v1.radar.early_fraud_warnings.list({"charge": intent.latest_charge}).data[0]
    assert warning.actionable
    client.v1.refunds.create({"payment_intent": intent.id})
    assert not client.v1.radar.early_fraud_warnings.retrieve(warning.id).actionable
    seen = [name for name in types(client) if name.startswith("radar.")]
    assert seen == ["radar.early_fraud_warning.created", "radar.early_fraud_warning.updated"]


def test_balance_transactions_say_where_the_balance_comes_from(client: Any, double: Any) -> None:
    intent = paid(client)
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 300})
    found = client.v1.balance_transactions.list().data
    assert [(t.type, t.amount, t.net) for t in found] == [
        ("refund", -300, -300),
        ("charge", 2000, 1912),
    ]
    assert found[0].source == refund.id
    assert client.v1.balance.retrieve().pending[0].amount == 1912
    double.call(lambda control: control.advance(3 * 86_400))
    now = client.v1.balance.retrieve()
    assert (now.pending[0].amount, now.available[0].amount) == (0, 1612)
