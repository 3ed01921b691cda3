"""What an action does at the provider, as data: how to make the object, and how to find it again.

The steps only ask and translate. What an answer proves, when to ask and what to trust is judged
in one place for all of them (provider_call.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from billing_common.domain.idempotency import FrozenRequest, Operation
from billing_common.domain.provider_outcome import ProviderFailure
from billing_common.stripe_api.port import Answer
from checkout.decisions.finalisation import CleanUp
from checkout.handlers.context import CheckoutContext, HeldLease


class ProviderThing(Protocol):
    """Whatever was made, it has an id."""

    @property
    def id(self) -> str:
        """At the provider."""
        ...


T = TypeVar("T", bound=ProviderThing)


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """What is sent, and what the answer must carry to be ours."""

    billable_entity_id: int
    row_id: int
    action_name: str
    operation_key: str
    provider_idempotency_key: str
    provider_attempt: int
    frozen: FrozenRequest


def request_of(operation: Operation, frozen: FrozenRequest) -> ProviderRequest:
    """As the row has it: what is stored is sent, whatever has been rotated since."""
    return ProviderRequest(
        billable_entity_id=operation.billable_entity_id,
        row_id=operation.id,
        action_name=operation.action.value,
        operation_key=operation.operation_key,
        provider_idempotency_key=operation.provider_idempotency_key,
        provider_attempt=operation.provider_attempt,
        frozen=frozen,
    )


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """The object as it is now. `loose`: others of the same operation, usable by nobody."""

    value: T
    loose: tuple[T, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """It was not executed and never will be."""

    failure: ProviderFailure


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been executed. The operation stays pending."""

    reason: str


@dataclass(frozen=True, slots=True)
class NothingThere(Unknown):
    """Nothing of the request was found: which proves nothing while a call may be under way."""


@dataclass(frozen=True, slots=True)
class StoredError(Unknown):
    """The key repeats a 5xx for a day, and nothing of the request was found: only another key of
    the operation's series can get it done."""


@dataclass(frozen=True, slots=True)
class Window:
    """When an object of a request can have been created, both ends included."""

    created_from: datetime
    created_until: datetime


Create = Callable[
    [CheckoutContext, ProviderRequest, HeldLease], Awaitable[Answer[T] | ProviderFailure]
]
Retrieve = Callable[[CheckoutContext, str], Awaitable[Answer[T] | ProviderFailure]]
Look = Callable[
    [CheckoutContext, FrozenRequest, Window], Awaitable[Answer[tuple[T, ...]] | ProviderFailure]
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSteps(Generic[T]):
    """`create` sends the frozen request under its key. `retrieve` and `look` (a list, never a
    search) are None for what cannot be found again: such an object must be harmless twice.

    `is_ours` checks the names in its metadata. Of several, the one of least `rank` is bound.
    `clean_ups` makes one that is not bound usable by nobody.
    """

    create: Create[T]
    retrieve: Retrieve[T] | None
    look: Look[T] | None
    is_ours: Callable[[ProviderRequest, T], bool]
    rank: Callable[[T], tuple[Any, ...]]
    clean_ups: Callable[[T], tuple[CleanUp, ...]]
