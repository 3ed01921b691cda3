"""Nobody uses up what is for all: limits per caller, per billing account, and for this replica.

In this process only: a row per request in MySQL would make every read a write, and the database
the first thing that an overload breaks. With N replicas behind a fair balancer a caller gets N
times the rate; the settings are per replica. (Stripe's own rate is guarded where Stripe is called.)
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api_gateway.decisions.token_buckets import Bucket, Rate, give_back, take
from api_gateway.handlers.refusals import RequestRefused
from billing_common.domain.failure_codes import FailureCode
from billing_common.observability.metrics import RATE_LIMITED

# A forgotten bucket counts as full, so forgetting the ones unused longest can only be generous.
BUCKETS_MAX: Final = 50_000
_REPLICA: Final = ("replica", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Requests; `account_writes` counts beside `account`."""

    replica: Rate
    user: Rate
    service: Rate
    account: Rate
    account_writes: Rate


class RateLimiter:
    """All buckets of one replica. Raises RequestRefused(rate_limited) with its Retry-After."""

    def __init__(self, limits: RateLimits, *, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()

    def admit_user(self, subject: str) -> None:
        """A signed-in user's request, whatever it is about."""
        self._admit(("user", subject), self._limits.user)
        self._admit_to_replica(("user", subject), self._limits.user)

    def admit_service(self, name: str) -> None:
        """A service's request."""
        self._admit(("service", name), self._limits.service)
        self._admit_to_replica(("service", name), self._limits.service)

    def admit_to_account(self, billable_entity_id: int, *, is_write: bool) -> None:
        """A request about an account that its sender may use. What it is refused here does not
        count against the replica: one account must not use up everybody's share."""
        key = str(billable_entity_id)
        try:
            self._admit(("account", key), self._limits.account)
            if is_write:
                self._admit(("account_writes", key), self._limits.account_writes)
        except RequestRefused:
            self._give_back(_REPLICA, self._limits.replica)
            raise

    def _admit_to_replica(self, key: tuple[str, str], rate: Rate) -> None:
        try:
            self._admit(_REPLICA, self._limits.replica)
        except RequestRefused:
            self._give_back(key, rate)
            raise

    def _admit(self, key: tuple[str, str], rate: Rate) -> None:
        bucket, wait_seconds = take(self._buckets.get(key), rate, self._monotonic())
        self._keep(key, bucket)
        if wait_seconds > 0:
            RATE_LIMITED.labels(limit=key[0]).inc()
            raise RequestRefused(
                FailureCode.RATE_LIMITED,
                details={"limit": key[0]},
                retry_after_seconds=math.ceil(wait_seconds),
            )

    def _give_back(self, key: tuple[str, str], rate: Rate) -> None:
        self._keep(key, give_back(self._buckets.get(key), rate, self._monotonic()))

    def _keep(self, key: tuple[str, str], bucket: Bucket) -> None:
        self._buckets[key] = bucket
        self._buckets.move_to_end(key)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
