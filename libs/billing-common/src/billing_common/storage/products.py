"""Publishing products that are sold once: the only code that writes billing_products.

What a row sells never changes. Another price is another row, and retires the active one of the
same code; other words for the same price change the words. Used by operators, by no service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing_common.domain.money import Money
from billing_common.storage.catalogue import CatalogueRefusal, check_words
from billing_common.storage.tables.products import billing_products as products


async def publish_product(
    connection: AsyncConnection,
    *,
    code: str,
    name: str,
    description: str | None,
    provider: str,
    provider_price_id: str,
    provider_product_id: str | None,
    currency: str,
    unit_amount_minor: int,
    now: datetime,
) -> int:
    """Sell product `code` at this one-time price from now on; the row's id.

    Pre: `connection` is in a transaction, which the caller commits; the price is a one-time price
    at the provider. Publishing the same again changes nothing. Raises CatalogueRefusal when the
    price is known with other facts, or an argument is out of range.
    """
    check_words(code=code, name=name, what="product")
    try:
        money = Money(unit_amount_minor, currency)
    except (TypeError, ValueError) as error:
        raise CatalogueRefusal(str(error)) from error
    facts = {
        "code": code,
        "provider": provider,
        "provider_price_id": provider_price_id,
        "provider_product_id": provider_product_id,
        "currency": money.currency,
        "unit_amount_minor": money.amount_minor,
    }
    rows = await _lock_rows(connection, facts)
    known = _row_of_price(rows, facts)
    await _retire(connection, [row for row in rows if row is not known], now)
    words = {"name": name, "description": description, "is_active": True}
    if known is None:
        result = await connection.execute(
            insert(products).values(**facts, **words, created_at=now, updated_at=now)
        )
        return int(result.lastrowid)
    if any(known[column] != value for column, value in words.items()):
        await connection.execute(
            update(products).where(products.c.id == known["id"]).values(**words, updated_at=now)
        )
    return int(known["id"])


async def _lock_rows(connection: AsyncConnection, facts: Mapping[str, Any]) -> list[RowMapping]:
    """Every row of the code, and the row of the price."""
    is_of_price = (products.c.provider == facts["provider"]) & (
        products.c.provider_price_id == facts["provider_price_id"]
    )
    rows = await connection.execute(
        select(products)
        .where((products.c.code == facts["code"]) | is_of_price)
        .order_by(products.c.id)
        .with_for_update()
    )
    return list(rows.mappings())


def _row_of_price(rows: Sequence[RowMapping], facts: Mapping[str, Any]) -> RowMapping | None:
    """The price's row, or None when it is new. Refuses a row that contradicts `facts`."""
    price = facts["provider_price_id"]
    known = next((row for row in rows if row["provider_price_id"] == price), None)
    changed = sorted(name for name, value in facts.items() if known and known[name] != value)
    if changed:
        raise CatalogueRefusal(
            f"price {price} is known with another {', '.join(changed)}; "
            "a provider's price never changes: create a new one and publish that"
        )
    return known


async def _retire(connection: AsyncConnection, rows: Sequence[RowMapping], now: datetime) -> None:
    active = [row["id"] for row in rows if row["is_active"]]
    if active:
        await connection.execute(
            update(products)
            .where(products.c.id.in_(active))
            .values(is_active=False, updated_at=now)
        )
