"""One purchase over HTTP, through all five services, and what every party knows of it then."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.fixtures.stack_processes import WholeStack
from tests.stack.books import assert_books_agree, wait_until_settled
from tests.stack.ledger import Ledger
from tests.stack.market import PLAN, Buyer, Market
from tests.stack.topics import entitlement_snapshots

pytestmark = [pytest.mark.stack, pytest.mark.connected, pytest.mark.slow]


@pytest.mark.requirement("SCOPE-12")
@pytest.mark.requirement("CHK-07")
@pytest.mark.requirement("EVT-08")
@pytest.mark.parametrize("pays_as", ["user", "workspace"])
async def test_a_click_becomes_an_active_subscription(
    stack: WholeStack, market: Market, ledger: Ledger, tell: Callable[[str], None], pays_as: str
) -> None:
    buyer = (
        await market.workspace_buyer() if pays_as == "workspace" else (await market.buyers(1))[0]
    )
    plans = (await market.get("/api/billing/plans", buyer)).json()["plans"]
    assert PLAN in {plan["code"] for plan in plans}

    bought = await market.open_checkout(buyer, key="click-1", deadline_seconds=30)
    before = await _operation(market, buyer, bought.operation_key, "finished")
    assert (before["status"], before["isProjected"]) == ("succeeded", False)
    assert before["result"] == json.loads(bought.body)
    await market.pay(bought)
    after = await _operation(market, buyer, bought.operation_key, "projected")
    assert after["isProjected"] is True
    assert after["checkoutSession"]["status"] == "completed_reconciled"
    assert after["checkoutSession"]["checkoutUrl"] is None

    shown = (await market.get("/api/billing/subscription", buyer)).json()
    assert shown["subscription"]["status"] == "active"
    assert shown["subscription"]["planCode"] == PLAN
    assert shown["subscription"]["operationKey"] == bought.operation_key
    assert [(one["status"], one["amountPaidMinor"]) for one in shown["invoices"]] == [
        ("paid", 1900)
    ]
    timeline = (await market.get("/api/billing/timeline?pageSize=100", buyer)).json()["entries"]
    assert {(one["kind"], one["status"]) for one in timeline} >= {
        ("idempotency", "succeeded"),
        ("checkout_session", "completed_reconciled"),
        ("subscription", "active"),
        ("invoice", "paid"),
        ("payment", "paid"),
        ("webhook", "processed"),
    }

    seconds = await wait_until_settled(stack, ledger, [bought], timeout_seconds=20)
    await assert_books_agree(stack, ledger, [bought])
    snapshot = (await entitlement_snapshots(stack))[buyer.entity_id]
    assert snapshot.plan_code == PLAN
    assert snapshot.valid_until is not None
    assert {one.code: one.value for one in snapshot.entitlements}["projects"]["limit"] == 5
    tell(f"settled {seconds:.2f} s after the product saw it")


@pytest.mark.requirement("IDEM-03")
async def test_the_same_key_has_one_answer_for_ever(
    stack: WholeStack, market: Market, ledger: Ledger
) -> None:
    (buyer,) = await market.buyers(1)
    bought = await market.open_checkout(buyer, key="click-1", deadline_seconds=30)
    again = await market.ask(buyer, key="click-1")
    assert (again.status_code, again.content) == (200, bought.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await market.ask(buyer, key="click-1", plan="pro")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")

    await market.pay(bought)
    await wait_until_settled(stack, ledger, [bought], timeout_seconds=20)
    late = await market.ask(buyer, key="click-1")
    assert (late.status_code, late.content) == (200, bought.body), "not even payment changes it"
    assert late.headers["Idempotent-Replayed"] == "true"
    fresh = await market.ask(buyer, key="click-2")
    assert fresh.json()["error"]["code"] == "subscription_exists_use_portal"
    assert len(await ledger.sessions([buyer.entity_id])) == 1


@pytest.mark.requirement("IDEM-02")
async def test_one_key_of_two_accounts_is_two_intents(market: Market, ledger: Ledger) -> None:
    first, second = await market.buyers(2)
    answers = [
        await market.open_checkout(buyer, key="the-same", deadline_seconds=30)
        for buyer in (first, second)
    ]
    assert answers[0].operation_key != answers[1].operation_key
    sessions = await ledger.sessions([first.entity_id, second.entity_id])
    assert sorted(one.id for one in sessions) == sorted(one.session_id for one in answers)


async def _operation(market: Market, buyer: Buyer, key: str, until: str) -> dict[str, Any]:
    answer = await market.get(f"/api/billing/operations/{key}?wait=20&until={until}", buyer)
    assert answer.status_code == 200, answer.text
    operation: dict[str, Any] = answer.json()
    return operation
