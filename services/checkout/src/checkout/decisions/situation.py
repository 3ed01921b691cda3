"""What Tx A knows when an action decides: the command, the locked rows, and the names to use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.provider_metadata import ENTITY_ID, OPERATION_KEY, ROW_ID
from billing_common.domain.subscription import CURRENT_CAPABLE, Subscription
from checkout.decisions.deadlines import Deadlines

P = TypeVar("P", covariant=True)
G = TypeVar("G", covariant=True)


@dataclass(frozen=True, slots=True)
class Names:
    """Our names for the intent; they stand in the metadata of all that the provider makes."""

    billable_entity_id: int
    operation_key: str
    idempotency_row_id: int

    def metadata(self) -> dict[str, str]:
        """As the provider stores it: text only."""
        return {
            OPERATION_KEY: self.operation_key,
            ENTITY_ID: str(self.billable_entity_id),
            ROW_ID: str(self.idempotency_row_id),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation(Generic[P, G]):
    """`gathered` is what the action read besides; `deadlines` and `now`: the database's clock."""

    payload: P
    gathered: G
    names: Names
    subscriptions: tuple[Subscription, ...]
    provider_customer_id: str | None
    currency: str
    public_url: str
    deadlines: Deadlines
    now: datetime

    @property
    def has_current_subscription(self) -> bool:
        """Whether any subscription of the entity is, or may become, the one that counts."""
        return any(row.status in CURRENT_CAPABLE for row in self.subscriptions)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Not now: the same key may be tried again once the block has gone. Nothing is stored."""

    code: FailureCode
    details: dict[str, Any]
    retry_after_seconds: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Not at all: stored, and replayed."""

    code: FailureCode


@dataclass(frozen=True, slots=True)
class Admitted:
    """Send these parameters."""

    params: dict[str, Any]


Verdict = Blocked | Refused | Admitted
