"""All that one billable entity's events can touch, as one immutable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from billing_common.domain.checkout_session import CheckoutSession
from billing_common.domain.idempotency import Operation
from billing_common.domain.invoice import Invoice, Payment
from billing_common.domain.subscription import Subscription, SubscriptionItem

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Change:
    """One object changed; becomes a message on billing.changes.v1."""

    object_type: str
    object_id: str
    change: str
    operation_key: str | None
    provider_event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityState:
    """The rows of one entity, keyed by the provider's ids (sessions and operations by ours)."""

    billable_entity_id: int
    billing_customer_id: int
    provider_customer_id: str
    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)
    items: Mapping[str, tuple[SubscriptionItem, ...]] = field(default_factory=dict)
    sessions: Mapping[str, CheckoutSession] = field(default_factory=dict)
    operations: Mapping[str, Operation] = field(default_factory=dict)
    invoices: Mapping[str, Invoice] = field(default_factory=dict)
    payments: Mapping[str, Payment] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    def with_subscription(
        self, row: Subscription, items: tuple[SubscriptionItem, ...]
    ) -> EntityState:
        """The state after this subscription and its items were replaced."""
        key = row.provider_subscription_id
        return replace(
            self,
            subscriptions=_put(self.subscriptions, key, row),
            items=_put(self.items, key, items),
        )

    def with_session(self, row: CheckoutSession) -> EntityState:
        """The state after this session was replaced."""
        return replace(self, sessions=_put(self.sessions, row.operation_key, row))

    def with_operation(self, row: Operation) -> EntityState:
        """The state after this operation was replaced."""
        return replace(self, operations=_put(self.operations, row.operation_key, row))

    def with_invoice(self, row: Invoice) -> EntityState:
        """The state after this invoice was replaced."""
        return replace(self, invoices=_put(self.invoices, row.provider_invoice_id, row))

    def with_payment(self, row: Payment) -> EntityState:
        """The state after this payment was replaced."""
        return replace(self, payments=_put(self.payments, row.provider_payment_id, row))

    def with_change(self, change: Change) -> EntityState:
        """The state with one more change to publish."""
        return replace(self, changes=(*self.changes, change))


def _put(rows: Mapping[str, Row], key: str, row: Row) -> Mapping[str, Row]:
    return MappingProxyType({**rows, key: row})
