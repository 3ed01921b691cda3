"""Publishing plans: the only code that writes billing_plans, their prices and entitlements.

A plan version never changes. Publishing something different makes the next version and retires
the active one; publishing the same again changes nothing. Used by operators, by no service.

The surprising thing: a provider price has one row for ever (`uq_..._provider_price`), and a price
names its plan. When only words or entitlements change, the row moves to the new version with its
id, so subscriptions at that price follow to the new version at their next event. To leave earlier
customers on their terms, create a new price at the provider and publish with that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing_common.domain.entitlements import PlanEntitlement
from billing_common.domain.errors import BillingError
from billing_common.domain.money import Money
from billing_common.storage.tables.catalogue import (
    billing_entitlements,
    billing_plan_prices,
    billing_plans,
)
from billing_common.storage.tables.columns import BILLING_INTERVALS, CODE_BYTES, PROVIDERS

NAME_CHARACTERS_MAX: Final = 160
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


class CatalogueRefusal(BillingError):  # noqa: N818 - exceptions are facts here
    """The catalogue cannot say this. Nothing is written."""

    code = "catalogue_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Price:
    provider: str
    provider_price_id: str
    provider_product_id: str | None
    money: Money
    interval: str
    interval_count: int

    def columns(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "provider_price_id": self.provider_price_id,
            "provider_product_id": self.provider_product_id,
            "currency": self.money.currency,
            "unit_amount_minor": self.money.amount_minor,
            "interval": self.interval,
            "interval_count": self.interval_count,
        }


async def publish_plan(
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
    interval: str,
    interval_count: int,
    entitlements: Sequence[PlanEntitlement],
    now: datetime,
) -> int:
    """Make this the active version of plan `code` and return the version's id.

    Pre: `connection` is in a transaction, which the caller commits. Publishing what is active
    already returns its id. Raises CatalogueRefusal when the price belongs to another plan or is
    known with other facts (a provider's prices never change), or an argument is out of range.
    Two publishers of one code at once: one waits, or gets a duplicate key and tries again.
    """
    check_words(code=code, name=name, what="plan")
    _check_entitlements(code, entitlements)
    price = _checked_price(
        provider=provider,
        provider_price_id=provider_price_id,
        provider_product_id=provider_product_id,
        currency=currency,
        unit_amount_minor=unit_amount_minor,
        interval=interval,
        interval_count=interval_count,
    )
    newest = await _lock_newest(connection, code)
    known_price = await _lock_price(connection, price, code=code)
    if newest is not None and await _is_same(
        connection,
        newest,
        known_price,
        name=name,
        description=description,
        entitlements=entitlements,
    ):
        return int(newest["id"])
    await _retire(connection, code=code, now=now)
    version = 1 if newest is None else newest["version"] + 1
    plan_id = await _insert_plan(
        connection, code=code, version=version, name=name, description=description, now=now
    )
    await _sell_at(connection, price, known_price, plan_id=plan_id, now=now)
    for entitlement in entitlements:
        await _insert_entitlement(connection, entitlement, plan_id=plan_id, now=now)
    return plan_id


def check_words(*, code: str, name: str, what: str) -> None:
    """Raises CatalogueRefusal. `what` is a plan, or something else that has a code and a name."""
    if not _CODE.match(code) or len(code) > CODE_BYTES:
        raise CatalogueRefusal(
            f"{what} code {code!r}: letters, digits, '.', '_' and '-', at most {CODE_BYTES}"
        )
    if not name.strip() or len(name) > NAME_CHARACTERS_MAX:
        raise CatalogueRefusal(f"{what} {code}: a name has 1 to {NAME_CHARACTERS_MAX} characters")


def _check_entitlements(code: str, entitlements: Sequence[PlanEntitlement]) -> None:
    codes = [entitlement.code for entitlement in entitlements]
    if len(set(codes)) != len(codes):
        raise CatalogueRefusal(f"plan {code}: an entitlement code is given twice")


def _checked_price(
    *,
    provider: str,
    provider_price_id: str,
    provider_product_id: str | None,
    currency: str,
    unit_amount_minor: int,
    interval: str,
    interval_count: int,
) -> _Price:
    if provider not in PROVIDERS:
        raise CatalogueRefusal(f"provider {provider!r}: known are {', '.join(PROVIDERS)}")
    if not provider_price_id:
        raise CatalogueRefusal("a plan needs the provider's price id")
    if interval not in BILLING_INTERVALS or interval_count < 1:
        raise CatalogueRefusal(
            f"interval {interval_count} x {interval!r}: 1 or more of {', '.join(BILLING_INTERVALS)}"
        )
    try:
        money = Money(unit_amount_minor, currency)
    except (TypeError, ValueError) as error:
        raise CatalogueRefusal(str(error)) from error
    return _Price(
        provider=provider,
        provider_price_id=provider_price_id,
        provider_product_id=provider_product_id,
        money=money,
        interval=interval,
        interval_count=interval_count,
    )


async def _lock_newest(connection: AsyncConnection, code: str) -> RowMapping | None:
    rows = await connection.execute(
        select(billing_plans)
        .where(billing_plans.c.code == code)
        .order_by(billing_plans.c.version.desc())
        .limit(1)
        .with_for_update()
    )
    return rows.mappings().first()


async def _lock_price(
    connection: AsyncConnection, price: _Price, *, code: str
) -> RowMapping | None:
    """The price's row, or None when it is new. Refuses a row that contradicts `price`."""
    rows = await connection.execute(
        select(billing_plan_prices, billing_plans.c.code.label("plan_code"))
        .join(billing_plans, billing_plans.c.id == billing_plan_prices.c.plan_id)
        .where(
            billing_plan_prices.c.provider == price.provider,
            billing_plan_prices.c.provider_price_id == price.provider_price_id,
        )
        .with_for_update()
    )
    known = rows.mappings().first()
    if known is None:
        return None
    if known["plan_code"] != code:
        raise CatalogueRefusal(
            f"price {price.provider_price_id} already sells plan {known['plan_code']}; "
            f"create a price of its own for plan {code} at the provider"
        )
    changed = [name for name, value in price.columns().items() if known[name] != value]
    if changed:
        raise CatalogueRefusal(
            f"price {price.provider_price_id} is known with another {', '.join(sorted(changed))}; "
            "a provider's price never changes: create a new one and publish that"
        )
    return known


async def _is_same(
    connection: AsyncConnection,
    newest: RowMapping,
    known_price: RowMapping | None,
    *,
    name: str,
    description: str | None,
    entitlements: Sequence[PlanEntitlement],
) -> bool:
    if known_price is None or known_price["plan_id"] != newest["id"]:
        return False
    if not (newest["is_active"] and known_price["is_active"]):
        return False
    if (newest["name"], newest["description"]) != (name, description):
        return False
    rows = await connection.execute(
        select(
            billing_entitlements.c.code,
            billing_entitlements.c.schema_version,
            billing_entitlements.c.value_json,
        ).where(billing_entitlements.c.plan_id == newest["id"])
    )
    stored = {row.code: (row.schema_version, row.value_json) for row in rows}
    return stored == {item.code: (item.schema_version, dict(item.value)) for item in entitlements}


async def _retire(connection: AsyncConnection, *, code: str, now: datetime) -> None:
    """No version of `code` is active and none of its prices is sold."""
    of_code = select(billing_plans.c.id).where(billing_plans.c.code == code).scalar_subquery()
    await connection.execute(
        update(billing_plan_prices)
        .where(billing_plan_prices.c.plan_id.in_(of_code), billing_plan_prices.c.is_active)
        .values(is_active=False, updated_at=now)
    )
    await connection.execute(
        update(billing_plans)
        .where(billing_plans.c.code == code, billing_plans.c.is_active)
        .values(is_active=False, updated_at=now)
    )


async def _insert_plan(
    connection: AsyncConnection,
    *,
    code: str,
    version: int,
    name: str,
    description: str | None,
    now: datetime,
) -> int:
    result = await connection.execute(
        insert(billing_plans).values(
            code=code,
            version=version,
            name=name,
            description=description,
            is_active=True,
            created_at=now,
            updated_at=now,
        )
    )
    return int(result.lastrowid)


async def _sell_at(
    connection: AsyncConnection,
    price: _Price,
    known_price: RowMapping | None,
    *,
    plan_id: int,
    now: datetime,
) -> None:
    if known_price is None:
        await connection.execute(
            insert(billing_plan_prices).values(
                plan_id=plan_id,
                billing_component="base",
                usage_type="licensed",
                is_active=True,
                created_at=now,
                updated_at=now,
                **price.columns(),
            )
        )
        return
    await connection.execute(
        update(billing_plan_prices)
        .where(billing_plan_prices.c.id == known_price["id"])
        .values(plan_id=plan_id, is_active=True, updated_at=now)
    )


async def _insert_entitlement(
    connection: AsyncConnection, entitlement: PlanEntitlement, *, plan_id: int, now: datetime
) -> None:
    await connection.execute(
        insert(billing_entitlements).values(
            plan_id=plan_id,
            code=entitlement.code,
            schema_version=entitlement.schema_version,
            value_json=dict(entitlement.value),
            created_at=now,
            updated_at=now,
        )
    )
