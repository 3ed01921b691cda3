"""Sends a request under the operation's key, and under the next key of its series if it must.

The provider repeats a stored 5xx for a day, so the first key would settle nothing. Another key may
make a second object; that is harmless, because only the one that is bound ever leaves, and the
others are found by listing and made unusable (docs/adr/0012). The next key is stored before it is
sent, under the lease, so that every worker continues the same series.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypeVar

import structlog

from billing_common.domain.operation_keys import provider_idempotency_key
from billing_common.observability.metrics import FENCED_WRITES, guardrail
from billing_common.storage.entity_locks import database_now
from billing_common.storage.transaction import WriteConnection
from checkout.handlers.context import CheckoutContext, HeldLease
from checkout.handlers.provider_call import create, look
from checkout.handlers.provider_steps import (
    Found,
    ProviderRequest,
    ProviderSteps,
    ProviderThing,
    Rejected,
    StoredError,
    Unknown,
)
from checkout.repository import operations

log = structlog.get_logger()
T = TypeVar("T", bound=ProviderThing)

# Each one got a stored 5xx. After that the operation waits for its end, as any unknown outcome.
PROVIDER_ATTEMPTS_MAX: Final = 3


async def send(
    context: CheckoutContext,
    steps: ProviderSteps[T],
    request: ProviderRequest,
    lease: HeldLease,
    *,
    is_first_call: bool,
) -> Found[T] | Rejected | Unknown:
    """At most two calls: the next key is tried at once, the one after it by the next recovery."""
    outcome = await create(context, steps, request, lease, is_first_call=is_first_call)
    if isinstance(outcome, StoredError):
        following = await _next_key(context, request, lease)
        if following is None:
            return outcome
        request = following
        outcome = await create(context, steps, request, lease, is_first_call=False)
    if isinstance(outcome, Found) and request.provider_attempt > 1:
        return await _with_the_others(context, steps, request, lease, outcome)
    return outcome


async def _next_key(
    context: CheckoutContext, request: ProviderRequest, lease: HeldLease
) -> ProviderRequest | None:
    """None when the series has ended, or the operation is not ours any more."""
    if request.provider_attempt >= PROVIDER_ATTEMPTS_MAX:
        return None
    following = replace(
        request,
        provider_attempt=request.provider_attempt + 1,
        provider_idempotency_key=provider_idempotency_key(
            context.provider_key_secret,
            provider=context.provider_name,
            action=request.action_name,
            operation_key=request.operation_key,
            attempt=request.provider_attempt + 1,
        ),
    )

    async def transaction(connection: WriteConnection) -> bool:
        return await operations.next_provider_key(
            connection,
            row_id=request.row_id,
            lease_version=lease.version,
            from_attempt=request.provider_attempt,
            provider_idempotency_key=following.provider_idempotency_key,
            now=await database_now(connection),
        )

    if not await context.database.write(transaction, name="checkout.next_key"):
        FENCED_WRITES.labels(name="checkout.next_key").inc()
        return None
    guardrail("checkout_provider_key_replaced")
    log.warning(
        "checkout.provider_key_replaced",
        idempotency_row_id=request.row_id,
        attempt=following.provider_attempt,
    )
    return following


async def _with_the_others(
    context: CheckoutContext,
    steps: ProviderSteps[T],
    request: ProviderRequest,
    lease: HeldLease,
    found: Found[T],
) -> Found[T]:
    """What an earlier key of the series may have made after all. Best effort: what is
    missed here nobody can pay, because its address never left."""
    seen = await look(context, steps, request, lease)
    if not isinstance(seen, Found):
        return found
    others = tuple(one for one in (seen.value, *seen.loose) if one.id != found.value.id)
    return Found(found.value, loose=others)
