"""What the product hears from Holdfast: changes as they happen, and entitlements as they stand.

Both are published after commit, at least once, in order per billable entity. `version` grows by
one with every committed change of the entity: a consumer drops what is not newer than it has.
"""

from __future__ import annotations

from typing import Any, Literal

from billing_common.contracts.envelope import Message, UtcTime


class Change(Message):
    """One object of an entity changed. Topic billing.changes.v1, key = billable entity id."""

    schema_version: Literal[1] = 1
    billable_entity_id: int
    version: int
    occurred_at: UtcTime
    object_type: Literal["subscription", "invoice", "payment", "checkout_session"]
    object_id: str
    change: str
    operation_key: str | None = None
    provider_event_id: str | None = None


class EntitlementValue(Message):
    """One entitlement, in the registry's words (entitlement.boolean.v1 and so on)."""

    code: str
    schema_version: str
    value: dict[str, Any]


class EntitlementSnapshot(Message):
    """All an entity may use. Topic billing.entitlements.v1 (compacted), key = entity id.

    `as_of` is when the underlying facts were committed; `valid_until` is the end of the paid
    period when there is one.
    """

    schema_version: Literal[1] = 1
    billable_entity_id: int
    version: int
    as_of: UtcTime
    plan_code: str | None
    subscription_status: str | None
    valid_until: UtcTime | None
    entitlements: tuple[EntitlementValue, ...]
