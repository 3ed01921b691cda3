"""Apply: write what folding changed, and nothing else. The caller's transaction commits it.

All entities of a batch together, table by table in the global lock order, many rows a statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from billing_common.domain.canonical_subscription import select_canonical
from billing_common.domain.catalogue import PlanPrice
from billing_common.domain.errors import BugError
from billing_common.domain.subscription import CURRENT_CAPABLE
from billing_common.storage.transaction import WriteConnection
from projection.decisions.state import EntityState
from projection.handlers.gathering import PROVIDER
from projection.repository import invoices, sessions, subscriptions

Pairs = Sequence[tuple[EntityState, EntityState]]


async def save_states(
    connection: WriteConnection, pairs: Pairs, *, prices: Mapping[str, PlanPrice], now: datetime
) -> None:
    """`pairs`: each changed entity before and after. Only rows that differ are written."""
    row_ids = await _save_subscriptions(connection, pairs, prices=prices, now=now)
    for before, after in pairs:
        await _save_operations_and_sessions(connection, before, after, now=now)
    own_ids = {
        (after.billable_entity_id, key): row_ids[key]
        for _, after in pairs
        for key in after.subscriptions
    }
    await _save_invoices(connection, pairs, subscription_ids=own_ids, now=now)


async def _save_subscriptions(
    connection: WriteConnection,
    pairs: Pairs,
    *,
    prices: Mapping[str, PlanPrice],
    now: datetime,
) -> dict[str, int]:
    """Row ids by provider subscription id, of all the entities' subscriptions."""
    lost = [
        row.id
        for before, after in pairs
        for key, row in before.subscriptions.items()
        if row.id is not None and row.is_current and not after.subscriptions[key].is_current
    ]
    await subscriptions.clear_current(connection, lost)
    changed = [
        row
        for before, after in pairs
        for key, row in after.subscriptions.items()
        if row != before.subscriptions.get(key)
    ]
    row_ids = {
        key: row.id
        for before, _ in pairs
        for key, row in before.subscriptions.items()
        if row.id is not None
    }
    row_ids |= await subscriptions.save_subscriptions(connection, changed, now=now)
    await subscriptions.replace_items(
        connection,
        {row_ids[key]: items for _, after in pairs for key, items in after.items.items()},
        provider=PROVIDER,
        prices=prices,
        now=now,
    )
    for row in changed:
        if row.id is None:
            await invoices.link_invoices(
                connection,
                billable_entity_id=row.billable_entity_id,
                provider=row.provider,
                provider_subscription_id=row.provider_subscription_id,
                subscription_id=row_ids[row.provider_subscription_id],
            )
    for _, after in pairs:
        await _request_remediations(connection, after, row_ids=row_ids, now=now)
    return row_ids


async def _request_remediations(
    connection: WriteConnection, after: EntityState, *, row_ids: Mapping[str, int], now: datetime
) -> None:
    canonical = select_canonical(after.subscriptions.values())
    if canonical is None:
        return
    for row in after.subscriptions.values():
        if row.status in CURRENT_CAPABLE and row is not canonical:
            await subscriptions.request_remediation(
                connection,
                canonical=canonical,
                canonical_id=row_ids[canonical.provider_subscription_id],
                duplicate=row,
                provider_event_id=row.watermark.event_id if row.watermark else "",
                now=now,
            )


async def _save_operations_and_sessions(
    connection: WriteConnection, before: EntityState, after: EntityState, *, now: datetime
) -> None:
    for key, operation in after.operations.items():
        if operation != before.operations[key] and not await sessions.finish_operation(
            connection, before.operations[key], operation, now=now
        ):
            # The row is locked by this transaction since it was read.
            raise BugError(f"operation row {operation.id} moved under its lock")
    for key, session in after.sessions.items():
        if session != before.sessions.get(key):
            await sessions.save_session(connection, session, now=now)


async def _save_invoices(
    connection: WriteConnection,
    pairs: Pairs,
    *,
    subscription_ids: invoices.SubscriptionIds,
    now: datetime,
) -> None:
    changed = [
        row
        for before, after in pairs
        for key, row in after.invoices.items()
        if row != before.invoices.get(key)
    ]
    invoice_ids = {
        key: row.id
        for before, _ in pairs
        for key, row in before.invoices.items()
        if row.id is not None
    }
    invoice_ids |= await invoices.save_invoices(
        connection, changed, subscription_ids=subscription_ids, now=now
    )
    attempts = [
        row
        for before, after in pairs
        for key, row in after.payments.items()
        if row != before.payments.get(key)
    ]
    await invoices.save_payments(connection, attempts, invoice_ids=invoice_ids, now=now)
