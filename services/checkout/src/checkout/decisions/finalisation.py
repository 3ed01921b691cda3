"""Tx B of any action: may this worker still finish the operation, and with what?

A row that is finished stays as it is. A row whose lease is not ours any more is not touched. What
the found object means is the action's own decision (`Binding` in, `Close` out).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from billing_common.domain.checkout_session import CheckoutSession
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import Operation, OperationEvent, OperationStatus
from billing_common.domain.payment_link import PaymentLink
from billing_common.domain.subscription import Subscription
from checkout.decisions.answers import Answer, Asked

T = TypeVar("T")


class Standing(StrEnum):
    """How a worker stands to the operation that it comes back to."""

    OURS = "ours"  # pending, and under our lease
    FINISHED = "finished"  # answer what is stored; what was found is loose unless it is bound
    FENCED = "fenced"  # another worker has the lease: change nothing


def decide_standing(operation: Operation, *, lease_version: int) -> Standing:
    """Total."""
    if operation.status is not OperationStatus.PENDING:
        return Standing.FINISHED
    return Standing.OURS if operation.lease_version == lease_version else Standing.FENCED


@dataclass(frozen=True, slots=True)
class CleanUp:
    """A job that makes an object which is not bound usable by nobody."""

    job_type: str
    provider_object_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding(Generic[T]):
    """The locked rows of the entity, and the object `found` at the provider.

    `sessions` is empty for an action that has none.
    """

    operation: Operation
    subscriptions: tuple[Subscription, ...]
    sessions: tuple[CheckoutSession, ...]
    found: T
    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Store the row of the object if it has one, queue the clean-ups, mark the operation last.

    `withdrawn_payment_link_id`: the provider's id of a link that can be paid no more.
    """

    event: OperationEvent
    failure_code: FailureCode | None
    provider_object_id: str | None
    answer: Answer
    clean_ups: tuple[CleanUp, ...]
    session: CheckoutSession | None = None
    payment_link: PaymentLink | None = None
    withdrawn_payment_link_id: str | None = None
