"""Which entity owns a provider customer: the one fact that events are correlated by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from billing_common.storage.tables import billing_customers
from billing_common.storage.transaction import WriteConnection


@dataclass(frozen=True, slots=True)
class Owner:
    """A provider customer of ours. The row never changes its owner."""

    billable_entity_id: int
    billing_customer_id: int
    provider_customer_id: str


async def find_owners(
    connection: WriteConnection, *, provider: str, customer_ids: Iterable[str]
) -> dict[str, Owner]:
    """Provider customer id -> owner, for those that are ours."""
    wanted = list(customer_ids)
    if not wanted:
        return {}
    rows = await connection.execute(
        select(
            billing_customers.c.billable_entity_id,
            billing_customers.c.id,
            billing_customers.c.provider_customer_id,
        ).where(
            billing_customers.c.provider == provider,
            billing_customers.c.provider_customer_id.in_(wanted),
        )
    )
    return {
        row.provider_customer_id: Owner(row.billable_entity_id, row.id, row.provider_customer_id)
        for row in rows
    }
