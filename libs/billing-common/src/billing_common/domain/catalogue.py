"""What the catalogue says about a provider's price: the one source of truth for both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PlanPrice:
    """A price of the provider, as our catalogue knows it."""

    billing_plan_price_id: int
    plan_id: int
    billing_component: str
    usage_type: str


@dataclass(frozen=True, slots=True)
class GrantedPlan:
    """A plan's code and the entitlements that it grants: (code, schema version, value)."""

    code: str
    entitlements: tuple[tuple[str, str, dict[str, Any]], ...]
