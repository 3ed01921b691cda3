"""Webhooks of real purchases, held back, shuffled, doubled and sent again: the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import pytest
from tests.fixtures.stack_processes import WholeStack
from tests.stack.books import assert_books_agree, eventually, wait_until_settled
from tests.stack.ledger import Ledger
from tests.stack.market import Market, Opened
from tests.stack.topics import unread_events

pytestmark = [pytest.mark.stack, pytest.mark.connected, pytest.mark.slow]

PURCHASES: Final = 20
# Rows that events make. Their own times are part of the comparison: a second effect would show.
_TABLES: Final = (
    "billing_webhook_events",
    "billing_checkout_sessions",
    "billing_subscriptions",
    "billing_subscription_items",
    "billing_invoices",
    "billing_payments",
    "billing_feed_outbox",
    "billable_entities",
)


async def _buy(market: Market) -> list[Opened]:
    bought = [
        await market.open_checkout(buyer, key="click", deadline_seconds=30)
        for buyer in await market.buyers(PURCHASES)
    ]
    for one in bought:
        await market.pay(one)
    return bought


async def _rows(stack: WholeStack) -> dict[str, list[tuple[Any, ...]]]:
    return {table: await stack.rows(f"SELECT * FROM {table} ORDER BY id") for table in _TABLES}


async def _wait_for_attempts(ledger: Ledger, events: Sequence[str], count: int) -> None:
    """Each of these events has been delivered so many times more."""

    async def look() -> str | None:
        short = [
            one["event"]
            for one in await ledger.deliveries()
            if one["event"] in events and one["attempts"] < count
        ]
        return f"{len(short)} not delivered {count} times" if short else None

    await eventually("deliveries", look, timeout_seconds=30)


@pytest.mark.requirement("EVT-04")
@pytest.mark.requirement("EVT-08")
async def test_shuffled_doubled_and_redelivered(
    stack: WholeStack, market: Market, ledger: Ledger
) -> None:
    known = {event["id"] for event in await ledger.events()}
    await ledger.tell("/webhooks/hold")
    bought = await _buy(market)
    await ledger.tell("/webhooks/faults", shuffle=True, duplicate=2)
    await ledger.tell("/webhooks/release")
    await wait_until_settled(stack, ledger, bought, timeout_seconds=60)
    events = [event["id"] for event in await ledger.events() if event["id"] not in known]
    assert len(events) >= 10 * PURCHASES
    await _wait_for_attempts(ledger, events, 3)
    await assert_books_agree(stack, ledger, bought)
    await _wait_until_read(stack)
    before = await _rows(stack)

    for event in events:
        await ledger.tell(f"/events/{event}/redeliver")
    await _wait_for_attempts(ledger, events, 4)
    await _wait_until_read(stack)
    assert await _rows(stack) == before, "an event that was applied is not applied again"
    await assert_books_agree(stack, ledger, bought)


@pytest.mark.requirement("EVT-08")
async def test_paid_before_the_session_was_bound(
    stack: WholeStack, market: Market, ledger: Ledger
) -> None:
    """All events of the purchase arrive while checkout still waits for Stripe's answer."""
    (buyer,) = await market.buyers(1)
    await ledger.tell(
        "/faults", kind="delay_after", operation="checkout.sessions.create", delay_ms=2500
    )
    asking = asyncio.create_task(market.ask(buyer, key="click"))

    async def session_exists() -> str | None:
        return None if await ledger.sessions([buyer.entity_id]) else "no session at Stripe"

    await eventually("session", session_exists, timeout_seconds=10)
    (session,) = await ledger.sessions([buyer.entity_id])
    await ledger.tell(f"/sessions/{session.id}/pay")

    async def is_subscribed() -> str | None:
        rows = await stack.rows(
            f"SELECT 1 FROM billing_subscriptions WHERE billable_entity_id = {buyer.entity_id}"
        )
        return None if rows else "no subscription"

    await eventually("subscription", is_subscribed, timeout_seconds=10)
    assert not asking.done(), "the events were there first"
    answer = await asking
    assert answer.status_code == 200, answer.text
    bought = Opened(buyer, "click", session.operation_key, f"/c/pay/{session.id}", answer.content)
    await wait_until_settled(stack, ledger, [bought], timeout_seconds=30)
    await assert_books_agree(stack, ledger, [bought])


async def _wait_until_read(stack: WholeStack) -> None:
    """Projection has read the event log to its end, duplicates too."""

    async def look() -> str | None:
        behind = await unread_events(stack)
        return f"{behind} records not read" if behind else None

    await eventually("event log", look, timeout_seconds=30)
