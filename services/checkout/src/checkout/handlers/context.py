"""What every step of a command works with, and the lease it works under."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from billing_common.domain.errors import PoisonError
from billing_common.settings import LEASE_MARGIN_SECONDS
from billing_common.storage.transaction import Database
from billing_common.stripe_api.port import BillingProvider
from checkout.decisions.answers import Answer


class EntityUnknown(PoisonError):  # noqa: N818 - exceptions are facts here
    """The command names a billable entity that does not exist."""

    code = "billable_entity_unknown"


class OperationUnknown(PoisonError):  # noqa: N818
    """The command names an operation that this entity does not have."""

    code = "operation_unknown"


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease as its holder may count on it: the end is early rather than late.

    It is measured on our monotonic clock from before the transaction that took it; the database's
    clock alone decides who may take it over.
    """

    version: int
    ends_at_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutContext:
    """Built once by app.py. `lease_owner` names this process in the rows it works on."""

    database: Database
    provider: BillingProvider
    provider_key_secret: bytes
    currency: str
    public_url: str
    lease_owner: str
    lease_seconds: float
    provider_timeout_seconds: float
    utc_now: Callable[[], datetime]
    monotonic: Callable[[], float]

    @property
    def provider_name(self) -> str:
        """As it stands in the rows."""
        return self.provider.provenance.provider

    def has_time_for_a_call(self, lease: HeldLease) -> bool:
        """Whether one provider call, at its longest, ends well before the lease does."""
        longest = self.provider_timeout_seconds + LEASE_MARGIN_SECONDS
        return self.monotonic() + longest <= lease.ends_at_seconds


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Claimed, or found in doubt: what is left needs no order among the entity's commands, for the
    locked rows decide from here on. `finish` may take as long as the provider does."""

    finish: Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Target:
    """The operation that is worked on."""

    billable_entity_id: int
    row_id: int
