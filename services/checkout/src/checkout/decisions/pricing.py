"""Which price does this plan sell for? One active base price in the deployment's currency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from billing_common.domain.failure_codes import FailureCode


class PlanPrice(Protocol):
    """A price row of an active plan, as the catalogue has it."""

    @property
    def provider_price_id(self) -> str:
        """The price at the provider."""
        ...

    @property
    def currency(self) -> str:
        """Lower-case ISO 4217."""
        ...


def decide_price(prices: Sequence[PlanPrice] | None, *, currency: str) -> PlanPrice | FailureCode:
    """`prices`: the plan's sellable rows, or None when no active plan has the code.

    No sellable price, several, or one in another currency fails closed: nothing is guessed.
    """
    if prices is None:
        return FailureCode.CHECKOUT_PLAN_NOT_FOUND
    if len(prices) != 1 or prices[0].currency != currency or not prices[0].provider_price_id:
        return FailureCode.CHECKOUT_CONFIGURATION_INVALID
    return prices[0]
