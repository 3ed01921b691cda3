"""billing_customers: one row per entity and provider, inserted once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, select

from billing_common.storage.insert_once import Inserted, insert_once
from billing_common.storage.tables import billable_entities, billing_customers
from billing_common.storage.transaction import ReadConnection, WriteConnection

# Of two equal rows the engine names whichever key it looks at first.
_CONFLICTS: Final = frozenset(
    {"uq_billing_customers_entity_provider", "uq_billing_customers_provider_customer"}
)


@dataclass(frozen=True, slots=True)
class EntityCustomer:
    """An entity that exists, and its customer at the provider, if it has one yet."""

    billable_entity_id: int
    provider_customer_id: str | None


async def find_entity_customer(
    connection: ReadConnection, *, billable_entity_id: int, provider: str
) -> EntityCustomer | None:
    """None when there is no such entity."""
    entities, customers = billable_entities, billing_customers
    rows = await connection.execute(
        select(entities.c.id, customers.c.provider_customer_id)
        .select_from(
            entities.outerjoin(
                customers,
                and_(
                    customers.c.billable_entity_id == entities.c.id,
                    customers.c.provider == provider,
                ),
            )
        )
        .where(entities.c.id == billable_entity_id)
    )
    row = rows.one_or_none()
    return None if row is None else EntityCustomer(row.id, row.provider_customer_id)


async def insert_customer_once(
    connection: WriteConnection,
    *,
    billable_entity_id: int,
    provider: str,
    provider_customer_id: str,
    now: datetime,
) -> bool:
    """False when the entity has a customer already, or the customer has an entity."""
    outcome = await insert_once(
        connection,
        billing_customers,
        {
            "billable_entity_id": billable_entity_id,
            "provider": provider,
            "provider_customer_id": provider_customer_id,
            "created_at": now,
            "updated_at": now,
        },
        expected_conflicts=_CONFLICTS,
    )
    return isinstance(outcome, Inserted)
