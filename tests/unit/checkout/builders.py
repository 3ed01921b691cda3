"""Rows as the core sees them, with everything a test does not care about filled in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from billing_common.contracts.commands import (
    BillingWrite,
    StartOneOffCheckout,
    StartSubscriptionCheckout,
)
from billing_common.domain.canonical_json import sha256_hex
from billing_common.domain.checkout_session import CheckoutSession, SessionFlow, SessionStatus
from billing_common.domain.idempotency import Action, FrozenRequest, Operation, OperationStatus
from billing_common.domain.provider_objects import ProviderSession, ProviderSessionStatus
from billing_common.domain.subscription import CURRENT_CAPABLE, Subscription, SubscriptionStatus
from billing_common.stripe_api.port import Provenance
from checkout.decisions.answers import Asked
from checkout.decisions.deadlines import session_deadlines
from checkout.decisions.situation import Names, Situation

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OURS = "a" * 64
THEIRS = "b" * 64
ASKED = Asked(OURS, "req_1")
PROVENANCE = Provenance("stripe", "stripe-python", "16.1.0", "2026-10-28.endive")
SUBSCRIPTION = StartSubscriptionCheckout(
    client_idempotency_key="click-1",
    request_fingerprint_hash="f" * 64,
    normalized_request={},
    plan_code="pro",
    success_path="/done?plan=pro",
    cancel_path="/",
)
ONE_OFF = StartOneOffCheckout(
    client_idempotency_key="click-1",
    request_fingerprint_hash="f" * 64,
    normalized_request={},
    name="Consulting",
    amount_minor=12_345,
    quantity=2,
    currency="usd",
    success_path="/done",
    cancel_path="/",
)
PARAMS = '{"customer":"cus_1","mode":"subscription"}'


def frozen(**changes: Any) -> FrozenRequest:
    return FrozenRequest(
        **{
            "params_json": PARAMS,
            "params_hash": sha256_hex(PARAMS),
            "schema_version": "stripe_checkout_session_create_params_v1",
            "sdk_name": PROVENANCE.sdk_name,
            "sdk_version": PROVENANCE.sdk_version,
            "api_version": PROVENANCE.api_version,
            "frozen_at": NOW - timedelta(hours=1),
            "replay_deadline_at": NOW + timedelta(hours=22),
            "session_expires_at_upper_bound": NOW + timedelta(hours=23),
            **changes,
        }
    )


def operation(**changes: Any) -> Operation:
    return Operation(
        **{
            "id": 7,
            "billable_entity_id": 1,
            "action": Action.CHECKOUT,
            "flow": "subscription",
            "client_idempotency_key": "click-1",
            "request_fingerprint_hash": "f" * 64,
            "operation_key": OURS,
            "provider": "stripe",
            "provider_idempotency_key": "k" * 64,
            "status": OperationStatus.PENDING,
            "lease_version": 1,
            "lease_owner": "worker",
            "lease_expires_at": NOW + timedelta(seconds=60),
            "recovery_attempt_count": 0,
            "frozen": frozen(),
            "provider_session_id": None,
            "response_status": None,
            "response_body": None,
            "failure_code": None,
            "created_at": NOW,
            **changes,
        }
    )


def session(status: SessionStatus, **changes: Any) -> CheckoutSession:
    return CheckoutSession(
        **{
            "id": 3,
            "billable_entity_id": 1,
            "provider": "stripe",
            "flow": SessionFlow.SUBSCRIPTION,
            "operation_key": OURS,
            "idempotency_row_id": 7,
            "provider_checkout_session_id": "cs_1",
            "provider_customer_id": "cus_1",
            "provider_subscription_id": None,
            "status": status,
            "checkout_url": "https://pay.example/1" if status is SessionStatus.OPEN else None,
            "expires_at": NOW + timedelta(hours=1),
            "completed_at": None,
            "watermark": None,
            "row_version": 1,
            **changes,
        }
    )


def found(
    status: ProviderSessionStatus = ProviderSessionStatus.OPEN, **changes: Any
) -> ProviderSession:
    is_open = status is ProviderSessionStatus.OPEN
    return ProviderSession(
        **{
            "id": "cs_1",
            "status": status,
            "payment_status": "unpaid",
            "mode": "subscription",
            "url": "https://pay.example/1" if is_open else None,
            "created_at": NOW,
            "expires_at": NOW + timedelta(hours=1),
            "customer_id": "cus_1",
            "subscription_id": "sub_1" if status is ProviderSessionStatus.COMPLETE else None,
            "operation_key": OURS,
            "billable_entity_id": 1,
            **changes,
        }
    )


def subscription(status: SubscriptionStatus, **changes: Any) -> Subscription:
    return Subscription(
        **{
            "id": 5,
            "billable_entity_id": 1,
            "billing_customer_id": 1,
            "plan_id": 1,
            "provider": "stripe",
            "provider_subscription_id": "sub_other",
            "status": status,
            "provider_subscription_created_at": NOW,
            "current_period_start": None,
            "current_period_end": None,
            "trial_end": None,
            "cancel_at": None,
            "canceled_at": None,
            "ended_at": None,
            "cancel_at_period_end": False,
            "is_current": status in CURRENT_CAPABLE,
            "operation_key": THEIRS,
            "watermark": None,
            "row_version": 1,
            **changes,
        }
    )


def situation(payload: BillingWrite, **changes: Any) -> Situation[Any, Any]:
    return Situation(
        **{
            "payload": payload,
            "gathered": None,
            "names": Names(1, OURS, 7),
            "subscriptions": (),
            "provider_customer_id": "cus_1",
            "currency": "usd",
            "public_url": "https://app.example.com/",
            "deadlines": session_deadlines(NOW),
            "now": NOW,
            **changes,
        }
    )
