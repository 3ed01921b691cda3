"""What Holdfast asks of a payment provider: the handful of calls, and answers as values.

No exception crosses this port: an answer without a result is a `ProviderFailure`, and
`domain.provider_outcome.classify` says what it proves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from billing_common.domain.provider_objects import (
    Provenance,
    ProviderCustomer,
    ProviderInvoice,
    ProviderPaymentLink,
    ProviderPortalSession,
    ProviderSession,
    ProviderSubscription,
)
from billing_common.domain.provider_outcome import ProviderFailure

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The provider's result. `is_replayed`: it repeated an earlier answer to the same key."""

    value: T
    is_replayed: bool = False
    request_id: str | None = None


class BillingProvider(Protocol):
    """Every call has one total time limit, no automatic retry, and no open transaction."""

    @property
    def provenance(self) -> Provenance:
        """Of this process."""
        ...

    async def create_customer(
        self, params: dict[str, Any], *, idempotency_key: str
    ) -> Answer[ProviderCustomer] | ProviderFailure:
        """Create a customer."""
        ...

    async def create_checkout_session(
        self, params_json: str, *, idempotency_key: str
    ) -> Answer[ProviderSession] | ProviderFailure:
        """Create a session from the frozen parameters, exactly as stored."""
        ...

    async def retrieve_checkout_session(
        self, session_id: str
    ) -> Answer[ProviderSession] | ProviderFailure:
        """The session as it is now."""
        ...

    async def list_checkout_sessions(
        self, *, customer_id: str, created_from: datetime, created_until: datetime
    ) -> Answer[tuple[ProviderSession, ...]] | ProviderFailure:
        """All of the customer's sessions created in the window (both ends included)."""
        ...

    async def expire_checkout_session(
        self, session_id: str, *, idempotency_key: str
    ) -> Answer[ProviderSession] | ProviderFailure:
        """Make it payable by nobody."""
        ...

    async def create_portal_session(
        self, params_json: str, *, idempotency_key: str
    ) -> Answer[ProviderPortalSession] | ProviderFailure:
        """Open the portal from the frozen parameters, exactly as stored."""
        ...

    async def create_payment_link(
        self, params_json: str, *, idempotency_key: str
    ) -> Answer[ProviderPaymentLink] | ProviderFailure:
        """Make a link from the frozen parameters, exactly as stored."""
        ...

    async def deactivate_payment_link(
        self, payment_link_id: str, *, idempotency_key: str
    ) -> Answer[ProviderPaymentLink] | ProviderFailure:
        """Make it payable by nobody."""
        ...

    async def retrieve_payment_link(
        self, payment_link_id: str
    ) -> Answer[ProviderPaymentLink] | ProviderFailure:
        """The link as it is now."""
        ...

    async def retrieve_subscription(
        self, subscription_id: str
    ) -> Answer[ProviderSubscription] | ProviderFailure:
        """The subscription as it is now."""
        ...

    async def retrieve_invoice(self, invoice_id: str) -> Answer[ProviderInvoice] | ProviderFailure:
        """The invoice as it is now."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
