"""Which of an entity's subscriptions is the one: dup_canonical_v2, pure and versioned.

Paid beats incomplete, then the oldest provider creation, then the smaller provider id. The
others are duplicates, for remediation to look at again; nothing is cancelled here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from billing_common.domain.subscription import (
    CURRENT_CAPABLE,
    Subscription,
    SubscriptionStatus,
)

ALGORITHM_VERSION: Final = "dup_canonical_v2"


def select_canonical(subscriptions: Iterable[Subscription]) -> Subscription | None:
    """The current subscription among `subscriptions`, or None when all have ended."""
    candidates = [row for row in subscriptions if row.status in CURRENT_CAPABLE]
    return min(
        candidates,
        key=lambda row: (
            row.status is SubscriptionStatus.INCOMPLETE,
            row.provider_subscription_created_at,
            row.provider_subscription_id,
        ),
        default=None,
    )
