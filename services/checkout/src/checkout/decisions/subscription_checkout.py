"""Subscription checkout: one live subscription per entity, at the plan's one sellable price."""

from __future__ import annotations

from collections.abc import Sequence

from billing_common.domain.failure_codes import FailureCode
from checkout.decisions.checkout_params import session_params
from checkout.decisions.pricing import PlanPrice, decide_price
from checkout.decisions.return_urls import ReturnPaths
from checkout.decisions.situation import Admitted, Refused, Situation


def decide_subscription_checkout(
    situation: Situation[ReturnPaths, Sequence[PlanPrice] | None],
) -> Refused | Admitted:
    """Total, but for ReturnPathInvalid: the current-subscription guard, then the catalogue."""
    if situation.has_current_subscription:
        return Refused(FailureCode.SUBSCRIPTION_EXISTS_USE_PORTAL)
    price = decide_price(situation.gathered, currency=situation.currency)
    if isinstance(price, FailureCode):
        return Refused(price)
    return Admitted(
        {
            **session_params(situation),
            "mode": "subscription",
            "line_items": [{"price": price.provider_price_id, "quantity": 1}],
            "subscription_data": {"metadata": situation.names.metadata()},
        }
    )
