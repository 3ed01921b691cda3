"""The one lock order of everybody who writes an entity's billing rows.

entity, subscriptions, idempotency (operations), checkout sessions, then remediations and outbox
jobs; inside a table by ascending id. A transaction may leave tables out, never turn round. The
entity's row is the gate: whoever holds it is alone with all that hangs on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, or_, select

from billing_common.domain.checkout_session import CheckoutSession
from billing_common.domain.idempotency import Operation
from billing_common.domain.subscription import Subscription
from billing_common.storage.mapping.checkout_sessions import (
    CHECKOUT_SESSION_COLUMNS,
    checkout_session_from_row,
)
from billing_common.storage.mapping.operations import OPERATION_COLUMNS, operation_from_row
from billing_common.storage.mapping.subscriptions import (
    SUBSCRIPTION_COLUMNS,
    subscription_from_row,
)
from billing_common.storage.tables import (
    billable_entities,
    billing_checkout_sessions,
    billing_request_idempotency,
    billing_subscriptions,
)
from billing_common.storage.transaction import ReadConnection, WriteConnection


@dataclass(frozen=True, slots=True)
class LockedEntity:
    """A billable entity whose row this transaction holds."""

    id: int
    is_active: bool
    entitlement_version: int


async def database_now(connection: ReadConnection | WriteConnection) -> datetime:
    """The database's clock, aware UTC: what decides leases. Ask after waiting for locks."""
    found = await connection.execute(select(func.utc_timestamp(6)))
    moment: datetime = found.scalar_one()
    return moment.replace(tzinfo=UTC)


async def lock_entities(
    connection: WriteConnection, entity_ids: Iterable[int]
) -> dict[int, LockedEntity]:
    """First in the order. An entity that does not exist is not in the answer."""
    wanted = sorted(set(entity_ids))
    if not wanted:
        return {}
    entities = billable_entities.c
    rows = await connection.execute(
        select(entities.id, entities.status, entities.entitlement_version)
        .where(entities.id.in_(wanted))
        .order_by(entities.id)
        .with_for_update()
    )
    return {
        row.id: LockedEntity(row.id, row.status == "active", row.entitlement_version)
        for row in rows
    }


async def lock_subscriptions(
    connection: WriteConnection, entity_ids: Iterable[int]
) -> tuple[Subscription, ...]:
    """Second in the order: all of the entities' subscriptions, ended ones too."""
    wanted = sorted(set(entity_ids))
    if not wanted:
        return ()
    rows = await connection.execute(
        select(*SUBSCRIPTION_COLUMNS)
        .where(billing_subscriptions.c.billable_entity_id.in_(wanted))
        .order_by(billing_subscriptions.c.id)
        .with_for_update()
    )
    return tuple(subscription_from_row(row) for row in rows)


async def lock_operations(
    connection: WriteConnection,
    *,
    row_ids: Iterable[int] = (),
    operation_keys: Iterable[str] = (),
) -> tuple[Operation, ...]:
    """Third in the order: the operations named by row id or by operation key."""
    columns = billing_request_idempotency.c
    ids, keys = sorted(set(row_ids)), sorted(set(operation_keys))
    named: list[ColumnElement[bool]] = []
    if ids:
        named.append(columns.id.in_(ids))
    if keys:
        named.append(columns.operation_key.in_(keys))
    if not named:
        return ()
    rows = await connection.execute(
        select(*OPERATION_COLUMNS).where(or_(*named)).order_by(columns.id).with_for_update()
    )
    return tuple(operation_from_row(row) for row in rows)


async def lock_checkout_sessions(
    connection: WriteConnection, entity_ids: Iterable[int]
) -> tuple[CheckoutSession, ...]:
    """Fourth in the order: all of the entities' sessions, finished ones too."""
    wanted = sorted(set(entity_ids))
    if not wanted:
        return ()
    rows = await connection.execute(
        select(*CHECKOUT_SESSION_COLUMNS)
        .where(billing_checkout_sessions.c.billable_entity_id.in_(wanted))
        .order_by(billing_checkout_sessions.c.id)
        .with_for_update()
    )
    return tuple(checkout_session_from_row(row) for row in rows)
