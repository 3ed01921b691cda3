"""What an entity may use, derived from its canonical subscription and that plan's entitlements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing_common.contracts.feeds import EntitlementSnapshot, EntitlementValue
from billing_common.domain.canonical_subscription import select_canonical
from billing_common.domain.subscription import ENTITLING, Subscription
from projection.decisions.state import EntityState


def entitling_subscription(state: EntityState) -> Subscription | None:
    """The subscription that grants something now, or None."""
    canonical = select_canonical(state.subscriptions.values())
    return canonical if canonical is not None and canonical.status in ENTITLING else None


def snapshot(
    state: EntityState,
    *,
    version: int,
    as_of: datetime,
    plan_code: str | None,
    entitlements: Sequence[tuple[str, str, dict[str, Any]]],
) -> EntitlementSnapshot:
    """The whole of it, every time: a consumer never has to add anything up."""
    canonical = select_canonical(state.subscriptions.values())
    granting = entitling_subscription(state)
    return EntitlementSnapshot(
        billable_entity_id=state.billable_entity_id,
        version=version,
        as_of=as_of,
        plan_code=plan_code if granting else None,
        subscription_status=canonical.status.value if canonical else None,
        valid_until=granting.current_period_end if granting else None,
        entitlements=tuple(
            EntitlementValue(code=code, schema_version=schema, value=value)
            for code, schema, value in entitlements
        )
        if granting
        else (),
    )
