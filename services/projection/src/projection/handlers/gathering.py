"""Gather: everything the batch's events can touch, locked in the one global order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from billing_common.domain.catalogue import PlanPrice
from billing_common.domain.checkout_session import CheckoutSession
from billing_common.domain.idempotency import Operation
from billing_common.domain.invoice import Invoice, Payment, payment_attempt_id
from billing_common.domain.provider_objects import (
    ProviderInvoice,
    ProviderSession,
    ProviderSubscription,
)
from billing_common.domain.subscription import Subscription
from billing_common.storage.entity_locks import (
    lock_checkout_sessions,
    lock_entities,
    lock_operations,
    lock_subscriptions,
)
from billing_common.storage.transaction import WriteConnection
from projection.decisions.event import StripeEvent, Truth
from projection.decisions.state import EntityState
from projection.handlers.receive import Received
from projection.repository.catalogue import find_prices
from projection.repository.invoices import lock_invoices, lock_payments
from projection.repository.owners import Owner, find_owners

PROVIDER = "stripe"


@dataclass(frozen=True, slots=True)
class Gathered:
    """States by provider customer id, and the prices that the events name."""

    states: dict[str, EntityState]
    prices: dict[str, PlanPrice]


async def gather(
    connection: WriteConnection, received: Sequence[Received], truths: Iterable[Truth]
) -> Gathered:
    """Locks entities in id order, then their rows; reads the catalogue.

    `truths`: what was fetched may name prices that no event of the batch names.
    """
    events = [one.event for one in received if isinstance(one.event, StripeEvent)]
    customer_ids = {one.customer_id for one in received if one.customer_id is not None}
    owners = await find_owners(connection, provider=PROVIDER, customer_ids=customer_ids)
    entity_ids = sorted({owner.billable_entity_id for owner in owners.values()})
    prices = await find_prices(
        connection, provider=PROVIDER, price_ids=_price_ids([*events, *truths])
    )
    if not entity_ids:
        return Gathered({}, prices)
    await lock_entities(connection, entity_ids)
    subscriptions = await lock_subscriptions(connection, entity_ids)
    operations = await lock_operations(connection, operation_keys=_operation_keys(events))
    sessions = await lock_checkout_sessions(connection, entity_ids)
    invoices = await lock_invoices(
        connection, provider=PROVIDER, invoice_ids={i.id for i in _invoices(events)}
    )
    payments = await lock_payments(connection, provider=PROVIDER, payment_ids=_payment_ids(events))
    rows = _Rows(subscriptions, operations, sessions, invoices, payments)
    return Gathered(
        {customer_id: _state(owner, rows) for customer_id, owner in owners.items()}, prices
    )


class _Rows(NamedTuple):
    """The locked rows of all entities of the batch."""

    subscriptions: Sequence[Subscription]
    operations: Sequence[Operation]
    sessions: Sequence[CheckoutSession]
    invoices: Sequence[Invoice]
    payments: Sequence[Payment]


def _state(owner: Owner, rows: _Rows) -> EntityState:
    entity_id = owner.billable_entity_id
    mine = {i.provider_invoice_id: i for i in rows.invoices if i.billable_entity_id == entity_id}
    return EntityState(
        billable_entity_id=entity_id,
        billing_customer_id=owner.billing_customer_id,
        provider_customer_id=owner.provider_customer_id,
        subscriptions={
            s.provider_subscription_id: s
            for s in rows.subscriptions
            if s.billable_entity_id == entity_id
        },
        operations={
            o.operation_key: o for o in rows.operations if o.billable_entity_id == entity_id
        },
        sessions={s.operation_key: s for s in rows.sessions if s.billable_entity_id == entity_id},
        invoices=mine,
        payments={p.provider_payment_id: p for p in rows.payments if p.provider_invoice_id in mine},
    )


def _price_ids(sources: Sequence[StripeEvent | Truth]) -> set[str]:
    return {
        item.provider_price_id
        for source in sources
        if isinstance(source.object, ProviderSubscription)
        for item in source.object.items
    }


def _operation_keys(events: Sequence[StripeEvent]) -> set[str]:
    return {
        event.object.operation_key
        for event in events
        if isinstance(event.object, ProviderSession) and event.object.operation_key is not None
    }


def _invoices(events: Sequence[StripeEvent]) -> list[ProviderInvoice]:
    return [event.object for event in events if isinstance(event.object, ProviderInvoice)]


def _payment_ids(events: Sequence[StripeEvent]) -> set[str]:
    return {payment_attempt_id(i.id, i.attempt_count) for i in _invoices(events)}
