"""Whose event is it? The customer's owner decides; metadata is a claim that must agree."""

from __future__ import annotations

from billing_common.domain.provider_objects import ProviderObject
from projection.decisions.event import Ignored, IgnoreReason, RefusalCode, Refused
from projection.decisions.state import EntityState


def correlate(source: ProviderObject, state: EntityState | None) -> Ignored | Refused | None:
    """None when `source` belongs to `state`'s entity. `state` is its customer's owner, if any."""
    if state is None:
        if source.billable_entity_id is None:
            # Another product may share the Stripe account.
            return Ignored(IgnoreReason.NOT_OURS)
        return Refused(
            RefusalCode.CUSTOMER_UNKNOWN,
            "the object names one of our entities but its customer is not ours",
        )
    claimed = source.billable_entity_id
    if claimed is not None and claimed != state.billable_entity_id:
        return Refused(
            RefusalCode.CORRELATION_MISMATCH,
            "metadata names another entity than the customer's owner",
        )
    return None


def is_of(customer: EntityState, source: ProviderObject) -> bool:
    """Whether what was fetched is this customer's, as the event said it is."""
    return source.customer_id == customer.provider_customer_id
