"""The entity's customer at the provider: created once, under a key of its own, before any claim.

Two workers that race send the same key and get the same customer; the row's unique key keeps one.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

import structlog

from billing_common.domain.errors import BugError
from billing_common.domain.operation_keys import provider_idempotency_key
from billing_common.domain.provider_metadata import ENTITY_ID
from billing_common.domain.provider_outcome import (
    Certainty,
    Finding,
    ProviderFailure,
    classify,
    judge,
)
from billing_common.messaging.backoff import Backoff
from billing_common.storage.entity_locks import database_now
from billing_common.storage.transaction import WriteConnection
from checkout.handlers.context import CheckoutContext, EntityUnknown
from checkout.repository.customers import find_entity_customer, insert_customer_once

log = structlog.get_logger()

ATTEMPTS_MAX: Final = 6
RETRY_BACKOFF: Final = Backoff(first_seconds=0.1, cap_seconds=2.0)


async def ensure_customer(
    context: CheckoutContext, *, billable_entity_id: int, until: datetime
) -> str | ProviderFailure:
    """The provider's customer id, or why there is none. No call is begun after `until`.

    Nothing is claimed yet, so a failure leaves nothing behind but, at worst, the customer that the
    next attempt gets again. Raises EntityUnknown.
    """
    sticky_failures, last_failure = 0, ProviderFailure(None, "holdfast", "customer_not_created")
    for attempt in range(1, ATTEMPTS_MAX + 1):
        known = await find_customer(context, billable_entity_id)
        if known is not None:
            return known
        if context.utc_now() >= until:
            break
        answer = await context.provider.create_customer(
            {"metadata": {ENTITY_ID: str(billable_entity_id)}},
            idempotency_key=_key(context, billable_entity_id, sticky_failures),
        )
        if not isinstance(answer, ProviderFailure):
            await _store(context, billable_entity_id, answer.value.id)
            continue
        last_failure = answer
        if classify(answer) is Certainty.REJECTION:
            return answer
        if judge(answer) is Finding.STORED_ERROR:
            sticky_failures += 1
        elif attempt < ATTEMPTS_MAX:
            await asyncio.sleep(RETRY_BACKOFF.seconds(attempt))
    return await find_customer(context, billable_entity_id) or last_failure


def _key(context: CheckoutContext, billable_entity_id: int, sticky_failures: int) -> str:
    """The same for everybody. After a stored 5xx the next one of a fixed series: that answer
    would be repeated for a day, and a customer without a session can pay nothing."""
    name = f"entity:{billable_entity_id}"
    return provider_idempotency_key(
        context.provider_key_secret,
        provider=context.provider_name,
        action="customer",
        operation_key=f"{name}:{sticky_failures}" if sticky_failures else name,
    )


async def find_customer(context: CheckoutContext, billable_entity_id: int) -> str | None:
    """Its id at the provider, or None. Raises EntityUnknown."""
    async with context.database.read(name="checkout.find_customer") as connection:
        found = await find_entity_customer(
            connection, billable_entity_id=billable_entity_id, provider=context.provider_name
        )
    if found is None:
        raise EntityUnknown(f"there is no billable entity {billable_entity_id}")
    return found.provider_customer_id


async def _store(
    context: CheckoutContext, billable_entity_id: int, provider_customer_id: str
) -> None:
    """A commit whose outcome is unknown is read again by the caller's next turn."""

    async def insert(connection: WriteConnection) -> bool:
        return await insert_customer_once(
            connection,
            billable_entity_id=billable_entity_id,
            provider=context.provider_name,
            provider_customer_id=provider_customer_id,
            now=await database_now(connection),
        )

    if not await context.database.write(insert, name="checkout.insert_customer"):
        known = await find_customer(context, billable_entity_id)
        if known is None:
            raise BugError("the provider gave us another entity's customer")
        if known != provider_customer_id:
            log.warning(
                "checkout.customer_superseded",
                billable_entity_id=billable_entity_id,
                provider_object_id=provider_customer_id,
            )
