"""The real Stripe, through the official SDK: the one place where a client is constructed.

SDK retries are off, because a retry is a decision of the caller, made with the stored parameters
and key. The total time limit covers connecting, sending and reading, and is shorter than a lease.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import httpx
import stripe
import structlog

from billing_common.domain.provider_objects import (
    Provenance,
    ProviderCustomer,
    ProviderInvoice,
    ProviderPaymentLink,
    ProviderPortalSession,
    ProviderSession,
    ProviderSubscription,
)
from billing_common.domain.provider_outcome import Certainty, ProviderFailure, classify
from billing_common.observability.metrics import PROVIDER_CALL_SECONDS
from billing_common.observability.transaction_guard import assert_no_open_transaction
from billing_common.stripe_api.port import Answer
from billing_common.stripe_api.translate import (
    StripeShapeUnexpected,
    customer_from_stripe,
    invoice_from_stripe,
    payment_link_from_stripe,
    portal_session_from_stripe,
    session_from_stripe,
    subscription_from_stripe,
)

log = structlog.get_logger()
T = TypeVar("T")

PROVIDER: Final = "stripe"
SDK_NAME: Final = "stripe-python"
CONNECT_TIMEOUT_SECONDS: Final = 5.0
PAGE_SIZE: Final = 100
# A customer with more sessions than this in one day's window is not a case we resolve by listing.
PAGES_MAX: Final = 10
_SHOULD_RETRY: Final = {"true": True, "false": False}

# Otherwise the SDK writes an id file into the home directory and reports the platform.
stripe.enable_telemetry = False


class StripeProvider:
    """BillingProvider over the official SDK. One per event loop; construct once, it is slow."""

    def __init__(
        self,
        *,
        secret_key: str,
        api_version: str,
        timeout_seconds: float,
        base_url: str | None = None,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._api_version = api_version
        timeout = httpx.Timeout(timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS)
        self._http = stripe.HTTPXClient(timeout=timeout)
        addresses: Any = None
        if base_url is not None:
            base = base_url.rstrip("/")
            addresses = {"api": base, "files": base, "connect": base, "meter_events": base}
        self._client = stripe.StripeClient(
            secret_key,
            stripe_version=api_version,
            max_network_retries=0,
            http_client=self._http,
            **({"base_addresses": addresses} if addresses else {}),
        )

    @property
    def provenance(self) -> Provenance:
        """Of this process."""
        return Provenance(PROVIDER, SDK_NAME, stripe.VERSION, self._api_version)

    async def create_customer(
        self, params: dict[str, Any], *, idempotency_key: str
    ) -> Answer[ProviderCustomer] | ProviderFailure:
        """Create a customer."""
        return await self._call(
            "customer.create",
            lambda: self._client.v1.customers.create_async(
                params=params,  # type: ignore[arg-type]  # built by us, checked by Stripe
                options={"idempotency_key": idempotency_key},
            ),
            customer_from_stripe,
        )

    async def create_checkout_session(
        self, params_json: str, *, idempotency_key: str
    ) -> Answer[ProviderSession] | ProviderFailure:
        """Create a session from the frozen parameters, exactly as stored."""
        params = json.loads(params_json)
        return await self._call(
            "checkout_session.create",
            lambda: self._client.v1.checkout.sessions.create_async(
                params=params, options={"idempotency_key": idempotency_key}
            ),
            session_from_stripe,
        )

    async def retrieve_checkout_session(
        self, session_id: str
    ) -> Answer[ProviderSession] | ProviderFailure:
        """The session as it is now."""
        return await self._call(
            "checkout_session.retrieve",
            lambda: self._client.v1.checkout.sessions.retrieve_async(session_id),
            session_from_stripe,
        )

    async def list_checkout_sessions(
        self, *, customer_id: str, created_from: datetime, created_until: datetime
    ) -> Answer[tuple[ProviderSession, ...]] | ProviderFailure:
        """All of the customer's sessions created in the window (both ends included)."""
        window = {"gte": int(created_from.timestamp()), "lte": int(created_until.timestamp())}
        params: dict[str, Any] = {"customer": customer_id, "created": window, "limit": PAGE_SIZE}
        found: list[ProviderSession] = []
        for _ in range(PAGES_MAX):
            page = await self._call(
                "checkout_session.list",
                lambda: self._client.v1.checkout.sessions.list_async(
                    params=params  # type: ignore[arg-type]  # noqa: B023 - awaited in this turn
                ),
                _session_page,
            )
            if isinstance(page, ProviderFailure):
                return page
            sessions, has_more = page.value
            found.extend(sessions)
            if not has_more or not sessions:
                return Answer(tuple(found))
            params = {**params, "starting_after": sessions[-1].id}
        return ProviderFailure(None, "holdfast", "too_many_sessions_to_list")

    async def expire_checkout_session(
        self, session_id: str, *, idempotency_key: str
    ) -> Answer[ProviderSession] | ProviderFailure:
        """Make it payable by nobody."""
        return await self._call(
            "checkout_session.expire",
            lambda: self._client.v1.checkout.sessions.expire_async(
                session_id, options={"idempotency_key": idempotency_key}
            ),
            session_from_stripe,
        )

    async def create_portal_session(
        self, params_json: str, *, idempotency_key: str
    ) -> Answer[ProviderPortalSession] | ProviderFailure:
        """Open the portal from the frozen parameters, exactly as stored."""
        params = json.loads(params_json)
        return await self._call(
            "portal_session.create",
            lambda: self._client.v1.billing_portal.sessions.create_async(
                params=params, options={"idempotency_key": idempotency_key}
            ),
            portal_session_from_stripe,
        )

    async def create_payment_link(
        self, params_json: str, *, idempotency_key: str
    ) -> Answer[ProviderPaymentLink] | ProviderFailure:
        """Make a link from the frozen parameters, exactly as stored."""
        params = json.loads(params_json)
        return await self._call(
            "payment_link.create",
            lambda: self._client.v1.payment_links.create_async(
                params=params, options={"idempotency_key": idempotency_key}
            ),
            payment_link_from_stripe,
        )

    async def deactivate_payment_link(
        self, payment_link_id: str, *, idempotency_key: str
    ) -> Answer[ProviderPaymentLink] | ProviderFailure:
        """Make it payable by nobody."""
        return await self._call(
            "payment_link.deactivate",
            lambda: self._client.v1.payment_links.update_async(
                payment_link_id,
                params={"active": False},
                options={"idempotency_key": idempotency_key},
            ),
            payment_link_from_stripe,
        )

    async def retrieve_payment_link(
        self, payment_link_id: str
    ) -> Answer[ProviderPaymentLink] | ProviderFailure:
        """The link as it is now."""
        return await self._call(
            "payment_link.retrieve",
            lambda: self._client.v1.payment_links.retrieve_async(payment_link_id),
            payment_link_from_stripe,
        )

    async def retrieve_subscription(
        self, subscription_id: str
    ) -> Answer[ProviderSubscription] | ProviderFailure:
        """The subscription as it is now."""
        return await self._call(
            "subscription.retrieve",
            lambda: self._client.v1.subscriptions.retrieve_async(subscription_id),
            subscription_from_stripe,
        )

    async def retrieve_invoice(self, invoice_id: str) -> Answer[ProviderInvoice] | ProviderFailure:
        """The invoice as it is now."""
        return await self._call(
            "invoice.retrieve",
            lambda: self._client.v1.invoices.retrieve_async(invoice_id),
            invoice_from_stripe,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]  # the SDK's own gap

    async def _call(
        self,
        operation: str,
        call: Callable[[], Awaitable[Any]],
        translate: Callable[[Mapping[str, Any]], T],
    ) -> Answer[T] | ProviderFailure:
        assert_no_open_transaction(f"stripe {operation}")
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                found = await call()
        except stripe.StripeError as error:
            return _failed(operation, _failure_of(error), started)
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            failure = ProviderFailure(None, "no_answer", type(error).__name__)
            return _failed(operation, failure, started)
        headers = _headers(found.last_response)
        try:
            value = translate(found.to_dict(recursive=True))
        except StripeShapeUnexpected as error:
            # It answered 2xx, so it was executed: unknown to us, and pending until understood.
            log.error("stripe.shape_unexpected", operation=operation, reason=str(error))
            return _failed(operation, ProviderFailure(200, "holdfast", error.code), started)
        _observe(operation, Certainty.SUCCESS, started)
        return Answer(
            value,
            is_replayed=headers.get("idempotent-replayed") == "true",
            request_id=headers.get("request-id"),
        )


def _session_page(source: Mapping[str, Any]) -> tuple[tuple[ProviderSession, ...], bool]:
    sessions = tuple(session_from_stripe(item) for item in source.get("data", ()))
    return sessions, source.get("has_more") is True


def _headers(response: Any) -> dict[str, str]:
    headers = getattr(response, "headers", None) or {}
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _failure_of(error: stripe.StripeError) -> ProviderFailure:
    details = error.error
    headers = {str(name).lower(): value for name, value in (error.headers or {}).items()}
    status = error.http_status
    is_unreadable = status is not None and 200 <= status < 300
    return ProviderFailure(
        http_status=status,
        error_type="holdfast" if is_unreadable else getattr(details, "type", None),
        error_code=(
            "answer_unreadable" if is_unreadable else getattr(details, "code", None) or error.code
        ),
        is_replayed=headers.get("idempotent-replayed") == "true",
        request_id=error.request_id,
        should_retry=_SHOULD_RETRY.get(headers.get("stripe-should-retry", "")),
    )


def _failed(operation: str, failure: ProviderFailure, started: float) -> ProviderFailure:
    certainty = classify(failure)
    _observe(operation, certainty, started)
    log.warning(
        "stripe.call_failed",
        name=operation,
        http_status=failure.http_status,
        error_type=failure.error_type,
        code=failure.error_code,
        outcome=certainty.value,
        provider_request_id=failure.request_id,
    )
    return failure


def _observe(operation: str, certainty: Certainty, started: float) -> None:
    PROVIDER_CALL_SECONDS.labels(operation=operation, certainty=certainty.value).observe(
        time.perf_counter() - started
    )
