"""One kind of billing write, as an immutable row: the frame reads it, and nothing else differs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from billing_common.contracts.commands import BillingWrite
from billing_common.domain.checkout_session import SessionFlow
from billing_common.domain.idempotency import Action
from billing_common.storage.transaction import WriteConnection
from checkout.decisions.deadlines import Deadlines
from checkout.decisions.finalisation import Binding, Close
from checkout.decisions.situation import Situation, Verdict
from checkout.handlers.context import CheckoutContext
from checkout.handlers.provider_steps import ProviderSteps, ProviderThing

P = TypeVar("P", bound=BillingWrite)
G = TypeVar("G")
T = TypeVar("T", bound=ProviderThing)


class CustomerNeed(StrEnum):
    """What the action wants of the entity's customer before anything is claimed."""

    CREATED = "created"  # it is created if there is none
    KNOWN = "known"  # its id if there is one; the action decides what it means to have none


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteAction(Generic[P, G, T]):
    """`payload` is the command it executes; `name` and `flow` stand in the operation's row.

    `is_exclusive`: one at a time per entity. Sessions block it, and an unknown outcome that cannot
    be settled leaves a hold.
    `gather` reads what `decide` needs besides the locked rows, inside Tx A.
    `decide` (pure, Tx A) refuses, or says what to send; `bind` (pure, Tx B) says how it ends.
    """

    payload: type[P]
    name: Action
    flow: SessionFlow | None
    schema_version: str
    customer: CustomerNeed
    is_exclusive: bool
    deadlines: Callable[[datetime], Deadlines]
    gather: Callable[[WriteConnection, CheckoutContext, P], Awaitable[G]]
    decide: Callable[[Situation[P, G]], Verdict]
    steps: ProviderSteps[T]
    bind: Callable[[Binding[T]], Close]


async def gather_nothing(
    _connection: WriteConnection, _context: CheckoutContext, _payload: BillingWrite
) -> None:
    """For an action that the locked rows tell enough."""
