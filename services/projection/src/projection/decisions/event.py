"""An event as the core sees it, and what folding it can lead to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from billing_common.domain.ordering import Watermark
from billing_common.domain.provider_objects import ProviderObject
from projection.decisions.state import EntityState


class Family(StrEnum):
    """Which rows an event type owns."""

    CHECKOUT_SESSION = "checkout_session"
    SUBSCRIPTION = "subscription"
    INVOICE = "invoice"


# The whole routing table. A type that is not in it is recorded as ignored.
ROUTES: Final[Mapping[str, Family]] = MappingProxyType(
    {
        "checkout.session.completed": Family.CHECKOUT_SESSION,
        "checkout.session.expired": Family.CHECKOUT_SESSION,
        "customer.subscription.created": Family.SUBSCRIPTION,
        "customer.subscription.updated": Family.SUBSCRIPTION,
        "customer.subscription.deleted": Family.SUBSCRIPTION,
        "customer.subscription.paused": Family.SUBSCRIPTION,
        "customer.subscription.resumed": Family.SUBSCRIPTION,
        "invoice.paid": Family.INVOICE,
        "invoice.payment_failed": Family.INVOICE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeEvent:
    """One event of the log, translated. `object` is its snapshot, taken when it happened."""

    event_id: str
    type: str
    created_at: datetime
    object: ProviderObject

    @property
    def watermark(self) -> Watermark:
        """Where this event stands in its object's history."""
        return Watermark(self.created_at, self.event_id)


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object at the provider."""

    family: Family
    id: str


@dataclass(frozen=True, slots=True)
class Truth:
    """The object as the provider had it after `row_version` was read: the fetch's fence."""

    object: ProviderObject
    row_version: int


@dataclass(frozen=True, slots=True)
class Applied:
    """The state moved on."""

    state: EntityState


class IgnoreReason(StrEnum):
    """Why an event changed nothing, and was right to."""

    TYPE_NOT_ROUTED = "type_not_routed"
    NOT_OURS = "not_ours"
    OLDER = "older_than_watermark"
    ALREADY_FOLDED = "already_folded"
    TERMINAL = "terminal_state"
    NOT_BOUND = "another_session_is_bound"


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing to do."""

    reason: IgnoreReason


@dataclass(frozen=True, slots=True)
class NeedsTruth:
    """Two events of one second: only the provider can say which came last."""

    ref: ObjectRef


class RefusalCode(StrEnum):
    """Why an event could not be folded now. Persisted as outcome_code; retried, then given up."""

    CORRELATION_MISMATCH = "checkout_session_correlation_mismatch"
    CUSTOMER_UNKNOWN = "customer_unknown"
    PRICE_UNKNOWN = "price_unknown"
    API_VERSION_UNSUPPORTED = "stripe_api_version_unsupported"
    SHAPE_UNEXPECTED = "stripe_shape_unexpected"
    TRUTH_UNAVAILABLE = "truth_unavailable"
    STORE_REFUSED = "store_refused"
    DEFECT = "projection_defect"


@dataclass(frozen=True, slots=True)
class Refused:
    """It fails closed: no row changes, the event is kept and looked at again."""

    code: RefusalCode
    message: str


Outcome = Applied | Ignored | NeedsTruth | Refused
