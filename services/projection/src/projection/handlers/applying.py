"""Apply: write what folding changed, and nothing else. The caller's transaction commits it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from billing_common.domain.canonical_subscription import select_canonical
from billing_common.domain.catalogue import PlanPrice
from billing_common.domain.errors import BugError
from billing_common.domain.subscription import CURRENT_CAPABLE
from billing_common.storage.transaction import WriteConnection
from projection.decisions.state import EntityState
from projection.repository import invoices, sessions, subscriptions


async def save_state(
    connection: WriteConnection,
    before: EntityState,
    after: EntityState,
    *,
    prices: Mapping[str, PlanPrice],
    now: datetime,
) -> None:
    """The rows of `after` that differ from `before`, in the global lock order."""
    row_ids = await _save_subscriptions(connection, before, after, prices=prices, now=now)
    for key, operation in after.operations.items():
        if operation != before.operations[key] and not await sessions.finish_operation(
            connection, before.operations[key], operation, now=now
        ):
            # The row is locked by this transaction since it was read.
            raise BugError(f"operation row {operation.id} moved under its lock")
    for key, session in after.sessions.items():
        if session != before.sessions.get(key):
            await sessions.save_session(connection, session, now=now)
    await _save_invoices(connection, before, after, row_ids=row_ids, now=now)


async def _save_subscriptions(
    connection: WriteConnection,
    before: EntityState,
    after: EntityState,
    *,
    prices: Mapping[str, PlanPrice],
    now: datetime,
) -> dict[str, int]:
    """Row ids by provider subscription id."""
    lost = [
        row.id
        for key, row in before.subscriptions.items()
        if row.id is not None and row.is_current and not after.subscriptions[key].is_current
    ]
    await subscriptions.clear_current(connection, lost)
    row_ids: dict[str, int] = {}
    for key, row in after.subscriptions.items():
        if row == before.subscriptions.get(key) and row.id is not None:
            row_ids[key] = row.id
            continue
        row_ids[key] = await subscriptions.save_subscription(connection, row, now=now)
        if key in after.items:
            await subscriptions.replace_items(
                connection,
                subscription=row,
                subscription_id=row_ids[key],
                items=after.items[key],
                prices=prices,
                now=now,
            )
        if row.id is None:
            await invoices.link_invoices(
                connection,
                provider=row.provider,
                provider_subscription_id=key,
                subscription_id=row_ids[key],
            )
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


async def _save_invoices(
    connection: WriteConnection,
    before: EntityState,
    after: EntityState,
    *,
    row_ids: Mapping[str, int],
    now: datetime,
) -> None:
    invoice_ids = {key: row.id for key, row in before.invoices.items() if row.id is not None}
    for key, invoice in after.invoices.items():
        if invoice != before.invoices.get(key):
            invoice_ids[key] = await invoices.save_invoice(
                connection,
                invoice,
                subscription_id=row_ids.get(invoice.provider_subscription_id or ""),
                now=now,
            )
    for key, payment in after.payments.items():
        if payment != before.payments.get(key):
            await invoices.save_payment(
                connection,
                payment,
                invoice_id=invoice_ids[payment.provider_invoice_id],
                is_new=key not in before.payments,
                now=now,
            )
