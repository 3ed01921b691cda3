"""One purchase from the first click to the active subscription, with the time of every hop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from billing_common.contracts.stripe_event_headers import (
    EVENT_TYPE,
    RECEIVED_AT,
)
from billing_common.contracts.topics import (
    COMMANDS,
    ENTITLEMENTS,
    REPLIES,
    STRIPE_EVENTS,
    Topic,
    TopicNames,
)
from holdfast_cli.demo.gateway_client import Checkout, GatewayClient
from holdfast_cli.demo.topic_watch import SeenMessage, TopicWatch
from holdfast_cli.failures import StackFailure

_HOP_SECONDS = 30.0
_POLL_SECONDS = 0.05
_ACTIVE = frozenset({"active", "trialing"})


@dataclass(frozen=True, slots=True)
class Hop:
    """One station of the purchase; `at` is None when it was not seen in time."""

    name: str
    at: datetime | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What happened on the product's side, with its times."""

    plan_code: str
    idempotency_key: str
    checkout: Checkout
    subscription: Mapping[str, object]
    asked_at: datetime
    answered_at: datetime
    paid_at: datetime
    visible_at: datetime


async def buy(
    gateway: GatewayClient,
    *,
    plan_code: str,
    idempotency_key: str,
    pay: Callable[[Checkout], Awaitable[None]],
    payment_seconds: float,
) -> Purchase:
    """Check out, pay, and wait until the product sees the subscription.

    `pay` pays the double's page at once; a person may take up to `payment_seconds` after it
    returned. Raises StackFailure when the subscription does not get active.
    """
    asked_at = utc_now()
    checkout = await gateway.start_checkout(plan_code, idempotency_key=idempotency_key)
    answered_at = utc_now()
    await pay(checkout)
    paid_at = utc_now()
    subscription = await _wait_until_active(gateway, checkout.operation_key, payment_seconds)
    return Purchase(
        plan_code=plan_code,
        idempotency_key=idempotency_key,
        checkout=checkout,
        subscription=subscription,
        asked_at=asked_at,
        answered_at=answered_at,
        paid_at=paid_at,
        visible_at=utc_now(),
    )


async def trace_hops(
    purchase: Purchase, watch: TopicWatch, names: TopicNames, *, customer_id: str
) -> list[Hop]:
    """The stations of this purchase, from its messages on Kafka."""

    async def find(topic: Topic, matches: Callable[[SeenMessage], bool]) -> SeenMessage | None:
        return await watch.first(names.of(topic), matches, timeout_seconds=_HOP_SECONDS)

    checkout = purchase.checkout
    command = await find(
        COMMANDS, lambda message: _field(message, "operation_key") == checkout.operation_key
    )
    reply = await find(REPLIES, lambda message: message.key == checkout.operation_key)
    event = await find(
        STRIPE_EVENTS,
        lambda message: (
            message.key == customer_id
            and message.headers.get(EVENT_TYPE) == "customer.subscription.created"
        ),
    )
    snapshot = await find(ENTITLEMENTS, lambda message: message.key == checkout.billable_entity_id)
    return [
        Hop("asked", purchase.asked_at, "POST /api/billing/checkout"),
        Hop("gateway accepted", _at(command), f"command on {COMMANDS.name}"),
        Hop("session created", _at(reply), f"bound; reply on {REPLIES.name}"),
        Hop("gateway answered", purchase.answered_at, "200, the page's address"),
        Hop("paid", purchase.paid_at, "on the hosted page"),
        Hop("webhook accepted", _received_at(event), "customer.subscription.created"),
        Hop("event durable", _at(event), f"on {STRIPE_EVENTS.name}"),
        Hop("projected", _at(snapshot), f"committed; {ENTITLEMENTS.name}"),
        Hop("snapshot visible", purchase.visible_at, "GET .../subscription: active"),
    ]


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


async def _wait_until_active(
    gateway: GatewayClient, operation_key: str, timeout_seconds: float
) -> Mapping[str, object]:
    deadline = utc_now() + timedelta(seconds=timeout_seconds)
    last: Mapping[str, object] | None = None
    while utc_now() < deadline:
        await gateway.wait_for_operation(operation_key, until="projected")
        last = await gateway.subscription()
        if last is not None and last.get("status") in _ACTIVE:
            return last
        await asyncio.sleep(_POLL_SECONDS)
    state = "there is none" if last is None else f"it is {last.get('status')}"
    raise StackFailure(
        f"No active subscription {timeout_seconds:.0f} s after the payment; {state}.",
        way_out=(
            "Was the webhook delivered? holdfast logs webhook-ingest",
            "Was it projected? holdfast logs projection",
        ),
    )


def _field(message: SeenMessage, name: str) -> object:
    try:
        return json.loads(message.value).get(name)
    except (ValueError, AttributeError):
        return None


def _at(message: SeenMessage | None) -> datetime | None:
    return message.at if message is not None else None


def _received_at(message: SeenMessage | None) -> datetime | None:
    if message is None:
        return None
    return datetime.fromisoformat(message.headers[RECEIVED_AT])
