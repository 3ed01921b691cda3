"""What must be true of purchases once the dust has settled: our rows against Stripe's ledger."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from tests.fixtures.stack_processes import WholeStack
from tests.stack.ledger import Ledger
from tests.stack.market import Opened
from tests.stack.topics import dead_letters, entitlement_snapshots, unread_events

_POLL_SECONDS: Final = 0.2


async def eventually(
    what: str, look: Callable[[], Awaitable[str | None]], *, timeout_seconds: float
) -> float:
    """Waits until `look` finds nothing missing (None); the seconds it took."""
    began = time.monotonic()
    while True:
        missing = await look()
        elapsed = time.monotonic() - began
        if missing is None:
            return elapsed
        assert elapsed < timeout_seconds, f"{what}: still {missing} after {timeout_seconds} s"
        await asyncio.sleep(_POLL_SECONDS)


async def wait_until_settled(
    stack: WholeStack, ledger: Ledger, bought: Sequence[Opened], *, timeout_seconds: float
) -> float:
    """Every purchase is projected, every event is known, every feed message is out."""
    entities = _listed(one.buyer.entity_id for one in bought)

    async def look() -> str | None:
        done = await stack.rows(
            "SELECT COUNT(*) FROM billing_checkout_sessions"
            f" WHERE status = 'completed_reconciled' AND billable_entity_id IN ({entities})"
        )
        if done[0][0] != len(bought):
            return f"{len(bought) - done[0][0]} of {len(bought)} not reconciled"
        open_deliveries = [one for one in await ledger.deliveries() if one["state"] != "succeeded"]
        if open_deliveries:
            return f"{len(open_deliveries)} webhooks not delivered"
        unread = await unread_events(stack)
        if unread:
            return f"{unread} events not read"
        unfinished = await stack.rows(
            "SELECT status, event_type, COUNT(*) FROM billing_webhook_events"
            " WHERE status NOT IN ('processed', 'ignored') GROUP BY status, event_type"
        )
        if unfinished:
            return f"events not settled: {unfinished}"
        waiting = await stack.rows("SELECT COUNT(*) FROM billing_feed_outbox")
        return f"{waiting[0][0]} feed messages not published" if waiting[0][0] else None

    return await eventually("purchases", look, timeout_seconds=timeout_seconds)


async def unsettled_events(stack: WholeStack, ledger: Ledger) -> dict[str, str]:
    """Events of Stripe's own list that are not processed or ignored here, with what they are."""
    known = dict(await stack.rows("SELECT provider_event_id, status FROM billing_webhook_events"))
    return {
        event["id"]: f"{event['type']} {known.get(event['id'], 'unknown')}"
        for event in await ledger.events()
        if known.get(event["id"]) not in {"processed", "ignored"}
    }


async def assert_books_agree(stack: WholeStack, ledger: Ledger, bought: Sequence[Opened]) -> None:
    """One of everything for each purchase, and the same one on both sides."""
    await _assert_rows(stack, bought)
    await _assert_stripe(stack, ledger, bought)
    assert await unsettled_events(stack, ledger) == {}
    assert await dead_letters(stack) == {}
    await _assert_snapshots(stack, bought)


async def _assert_rows(stack: WholeStack, bought: Sequence[Opened]) -> None:
    entities = _listed(one.buyer.entity_id for one in bought)
    operations = await stack.rows(
        "SELECT billable_entity_id, operation_key, status, response_status,"
        " provider_session_id, lease_owner"
        f" FROM billing_request_idempotency WHERE billable_entity_id IN ({entities})"
    )
    assert sorted(operations) == sorted(
        (one.buyer.entity_id, one.operation_key, "succeeded", 200, one.session_id, None)
        for one in bought
    )
    sessions = await stack.rows(
        "SELECT billable_entity_id, operation_key, status,"
        " provider_checkout_session_id, checkout_url"
        f" FROM billing_checkout_sessions WHERE billable_entity_id IN ({entities})"
    )
    assert sorted(sessions) == sorted(
        (one.buyer.entity_id, one.operation_key, "completed_reconciled", one.session_id, None)
        for one in bought
    )
    subscriptions = await stack.rows(
        "SELECT billable_entity_id, status, is_current, operation_key"
        f" FROM billing_subscriptions WHERE billable_entity_id IN ({entities})"
    )
    assert sorted(subscriptions) == sorted(
        (one.buyer.entity_id, "active", 1, one.operation_key) for one in bought
    )
    invoices = await stack.rows(
        "SELECT billable_entity_id, status, COUNT(*) FROM billing_invoices"
        f" WHERE billable_entity_id IN ({entities}) GROUP BY billable_entity_id, status"
    )
    assert sorted(invoices) == sorted((one.buyer.entity_id, "paid", 1) for one in bought)


async def _assert_stripe(stack: WholeStack, ledger: Ledger, bought: Sequence[Opened]) -> None:
    ours = {one.buyer.entity_id: one for one in bought}
    customers = {
        customer: entity
        for customer, entity in (await ledger.customers()).items()
        if entity in ours
    }
    one_each = dict.fromkeys(ours, 1)
    assert Counter(customers.values()) == one_each, "one customer an entity"
    sessions = await ledger.sessions(ours.keys())
    assert sorted((one.entity_id, one.operation_key, one.id) for one in sessions) == sorted(
        (entity, one.operation_key, one.session_id) for entity, one in ours.items()
    ), "one session an operation, and it is the one we bound"
    assert {one.status for one in sessions} == {"complete"}, "nothing is left to pay"
    charges = await ledger.entries("charge", outcome="succeeded")
    charged = Counter(customers[one["customer"]] for one in charges if one["customer"] in customers)
    assert charged == one_each, "one charge an entity"
    entities = _listed(ours)
    assert sorted(
        await stack.rows(
            "SELECT billable_entity_id, provider_subscription_id"
            f" FROM billing_subscriptions WHERE billable_entity_id IN ({entities})"
        )
    ) == sorted((one.entity_id, one.subscription_id) for one in sessions)
    assert sorted(
        await stack.rows(
            "SELECT billable_entity_id, provider_customer_id"
            f" FROM billing_customers WHERE billable_entity_id IN ({entities})"
        )
    ) == sorted((entity, customer) for customer, entity in customers.items())


async def _assert_snapshots(stack: WholeStack, bought: Sequence[Opened]) -> None:
    snapshots = await entitlement_snapshots(stack)
    said = {
        one.buyer.entity_id: snapshots[one.buyer.entity_id].subscription_status for one in bought
    }
    assert set(said.values()) == {"active"}
    stored = dict(await stack.rows("SELECT id, entitlement_version FROM billable_entities"))
    for one in bought:
        entity = one.buyer.entity_id
        assert snapshots[entity].version == stored[entity], "the last word is the newest"


def _listed(entity_ids: Any) -> str:
    """For IN (...): our own integers."""
    return ", ".join(str(int(one)) for one in entity_ids) or "0"
