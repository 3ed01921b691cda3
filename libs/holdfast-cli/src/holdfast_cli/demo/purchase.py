"""One purchase from the first click to the active subscription, with the time of every hop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from billing_common.contracts.stripe_event_headers import (
    EVENT_ID,
    EVENT_TYPE,
    RECEIVED_AT,
)
from billing_common.contracts.topics import (
    COMMANDS,
    ENTITLEMENTS,
    REPLIES,
    STRIPE_EVENTS,
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


@dataclass(slots=True)
class Purchase:
    """What happened. `buyer_pause` is the time between the page's address and the payment."""

    plan_code: str
    idempotency_key: str
    checkout: Checkout
    hops: list[Hop] = field(default_factory=list)
    subscription: Mapping[str, object] = field(default_factory=dict)


async def buy(
    gateway: GatewayClient,
    watch: TopicWatch,
    names: TopicNames,
    *,
    plan_code: str,
    idempotency_key: str,
    pay: Callable[[Checkout], object],
    payment_seconds: float,
) -> Purchase:
    """Check out, pay, and wait until the product sees the subscription.

    `pay` is awaited when it returns an awaitable: the double's page is paid at once, a person may
    take up to `payment_seconds`. Raises StackFailure when the subscription does not get active.
    """
    asked_at = utc_now()
    checkout = await gateway.start_checkout(plan_code, idempotency_key=idempotency_key)
    answered_at = utc_now()
    payment = pay(checkout)
    if asyncio.iscoroutine(payment):
        await payment
    paid_at = utc_now()
    subscription = await _wait_until_active(gateway, payment_seconds)
    visible_at = utc_now()

    command = await watch.first(
        names.of(COMMANDS),
        lambda message: _field(message, "operation_key") == checkout.operation_key,
        timeout_seconds=_HOP_SECONDS,
    )
    reply = await watch.first(
        names.of(REPLIES),
        lambda message: message.key == checkout.operation_key,
        timeout_seconds=_HOP_SECONDS,
    )
    event = await watch.first(
        names.of(STRIPE_EVENTS),
        lambda message: message.headers.get(EVENT_TYPE) == "customer.subscription.created",
        timeout_seconds=_HOP_SECONDS,
    )
    snapshot = await watch.first(
        names.of(ENTITLEMENTS),
        lambda message: message.key == checkout.billable_entity_id,
        timeout_seconds=_HOP_SECONDS,
    )
    purchase = Purchase(plan_code, idempotency_key, checkout, subscription=subscription)
    purchase.hops = [
        Hop("asked", asked_at, "POST /api/billing/checkout"),
        Hop("gateway accepted", _at(command), f"command on {COMMANDS.name}"),
        Hop("session created", _at(reply), f"bound in MySQL, reply on {REPLIES.name}"),
        Hop("gateway answered", answered_at, "200 with the address of the page"),
        Hop("paid", paid_at, "on the hosted page"),
        Hop("webhook accepted", _received_at(event), _event_detail(event)),
        Hop("event durable", _at(event), f"raw bytes on {STRIPE_EVENTS.name}"),
        Hop("projected", _at(snapshot), f"committed, entitlements on {ENTITLEMENTS.name}"),
        Hop("snapshot visible", visible_at, "GET /api/billing/subscription: active"),
    ]
    return purchase


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


async def _wait_until_active(
    gateway: GatewayClient, timeout_seconds: float
) -> Mapping[str, object]:
    deadline = utc_now() + timedelta(seconds=timeout_seconds)
    last: Mapping[str, object] | None = None
    while utc_now() < deadline:
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


def _event_detail(message: SeenMessage | None) -> str:
    if message is None:
        return "not seen"
    return f"{message.headers[EVENT_TYPE]} {message.headers[EVENT_ID]}"
