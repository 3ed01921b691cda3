"""billing_payment_links, and the products that links sell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from billing_common.domain.idempotency import Action, OperationStatus
from billing_common.domain.payment_link import PaymentLink, PaymentLinkStatus
from billing_common.storage.tables import billing_payment_links as links
from billing_common.storage.tables import billing_products as products
from billing_common.storage.tables import billing_request_idempotency as operations
from billing_common.storage.transaction import WriteConnection


@dataclass(frozen=True, slots=True)
class ProductPrice:
    """The one-time price of an active product."""

    provider_price_id: str
    currency: str


@dataclass(frozen=True, slots=True)
class OwnedLink:
    """A link at the provider, and whose it is; its id is None while it is being made."""

    billable_entity_id: int
    provider_payment_link_id: str | None


async def find_product_prices(
    connection: WriteConnection, *, codes: Collection[str], provider: str
) -> Mapping[str, ProductPrice]:
    """By product code; what is not on sale is absent."""
    if not codes:
        return {}
    rows = await connection.execute(
        select(products.c.code, products.c.provider_price_id, products.c.currency).where(
            products.c.active_product_key.in_(sorted(codes)), products.c.provider == provider
        )
    )
    return {row.code: ProductPrice(row.provider_price_id, row.currency) for row in rows}


async def find_link(
    connection: WriteConnection, *, provider: str, operation_key: str
) -> OwnedLink | None:
    """The link that this operation made or is making, whoever's it is."""
    found = await connection.execute(
        select(links.c.billable_entity_id, links.c.provider_payment_link_id).where(
            links.c.provider == provider, links.c.operation_key == operation_key
        )
    )
    row = found.one_or_none()
    if row is not None:
        return OwnedLink(row.billable_entity_id, row.provider_payment_link_id)
    pending = await connection.execute(
        select(operations.c.billable_entity_id).where(
            operations.c.action == Action.PAYMENT_LINK.value,
            operations.c.operation_key == operation_key,
            operations.c.status == OperationStatus.PENDING.value,
        )
    )
    maker: int | None = pending.scalar_one_or_none()
    return None if maker is None else OwnedLink(maker, None)


async def insert_payment_link(
    connection: WriteConnection, link: PaymentLink, *, now: datetime
) -> None:
    """The caller holds the operation's row, which has at most one link."""
    await connection.execute(
        insert(links).values(
            billable_entity_id=link.billable_entity_id,
            provider=link.provider,
            provider_payment_link_id=link.provider_payment_link_id,
            idempotency_row_id=link.idempotency_row_id,
            operation_key=link.operation_key,
            status=link.status.value,
            url=link.url,
            row_version=1,
            created_at=now,
            updated_at=now,
        )
    )


async def withdraw_payment_link(
    connection: WriteConnection, *, provider: str, provider_payment_link_id: str, now: datetime
) -> bool:
    """False when it can be paid no more already: a paid link stays a paid one."""
    result = await connection.execute(
        update(links)
        .where(
            links.c.provider == provider,
            links.c.provider_payment_link_id == provider_payment_link_id,
            links.c.status == PaymentLinkStatus.ACTIVE.value,
        )
        .values(
            status=PaymentLinkStatus.INACTIVE.value,
            deactivated_at=now,
            row_version=links.c.row_version + 1,
            updated_at=now,
        )
    )
    return result.rowcount == 1
