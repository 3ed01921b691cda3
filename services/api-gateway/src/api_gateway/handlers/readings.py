"""The reads that show stored truth as it stands. They change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api_gateway.decisions.timeline_pages import Place, cursor_of
from api_gateway.repository import catalogue, snapshots, timeline
from api_gateway.repository.catalogue import EntitlementRow, PlanRow
from api_gateway.repository.snapshots import InvoiceRow, ItemRow, PaymentRow, SubscriptionRow
from api_gateway.repository.timeline import SOURCE_NAMES, After, TimelineFilter, TimelineRow
from billing_common.storage.transaction import Database

TIMELINE_SOURCES = SOURCE_NAMES


@dataclass(frozen=True, slots=True)
class PlanOffer:
    """A plan on sale and what it grants."""

    plan: PlanRow
    entitlements: Sequence[EntitlementRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionSnapshot:
    """What an entity has now. Without a subscription it may still have invoices."""

    subscription: SubscriptionRow | None
    has_customer: bool
    items: Sequence[ItemRow]
    invoices: Sequence[InvoiceRow]
    payments: Sequence[PaymentRow]


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """`next_cursor` is None on the last page."""

    entries: Sequence[TimelineRow]
    next_cursor: str | None


class BillingReader:
    """Reads of one account that the caller was found to may read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plans(self) -> Sequence[PlanOffer]:
        """Everything on sale."""
        async with self._database.read(name="read_plans") as connection:
            plans = await catalogue.find_active_plans(connection)
            granted = await catalogue.find_entitlements(connection, [plan.id for plan in plans])
        return [
            PlanOffer(plan, [entry for entry in granted if entry.plan_id == plan.id])
            for plan in plans
        ]

    async def subscription(self, billable_entity_id: int) -> SubscriptionSnapshot:
        """The current subscription and the newest invoices."""
        async with self._database.read(name="read_subscription") as connection:
            current = await snapshots.find_current_subscription(connection, billable_entity_id)
            invoices = await snapshots.find_invoices(connection, billable_entity_id)
            return SubscriptionSnapshot(
                subscription=current,
                has_customer=await snapshots.has_customer(connection, billable_entity_id),
                items=[] if current is None else await snapshots.find_items(connection, current.id),
                invoices=invoices,
                payments=await snapshots.find_payments(
                    connection, [invoice.id for invoice in invoices]
                ),
            )

    async def timeline(
        self,
        billable_entity_id: int,
        *,
        page_size: int,
        after: Place | None,
        source: str | None,
        operation_key: str | None,
        provider_event_id: str | None,
    ) -> TimelinePage:
        """One page, newest first."""
        async with self._database.read(name="read_timeline") as connection:
            entries = await timeline.find_entries(
                connection,
                billable_entity_id=billable_entity_id,
                sources=SOURCE_NAMES if source is None else (source,),
                wanted=TimelineFilter(
                    operation_key=operation_key, provider_event_id=provider_event_id
                ),
                after=None if after is None else After(after.occurred_at, after.source, after.id),
                limit=page_size + 1,
            )
        page = entries[:page_size]
        if len(entries) <= page_size:
            return TimelinePage(page, None)
        last = page[-1]
        return TimelinePage(page, cursor_of(Place(last.occurred_at, last.source, last.id)))
