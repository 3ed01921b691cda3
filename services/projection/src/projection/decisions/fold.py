"""One event folded into one entity: correlate, then the family's own rule, then reconcile."""

from __future__ import annotations

from collections.abc import Mapping

from billing_common.domain.catalogue import PlanPrice
from billing_common.domain.provider_objects import (
    ProviderInvoice,
    ProviderObject,
    ProviderSession,
    ProviderSubscription,
)
from projection.decisions.correlation import correlate, is_of
from projection.decisions.event import (
    Applied,
    Family,
    ObjectRef,
    Outcome,
    RefusalCode,
    Refused,
    StripeEvent,
    Truth,
)
from projection.decisions.invoices import fold_invoice
from projection.decisions.sessions import fold_session, reconcile_sessions
from projection.decisions.state import EntityState
from projection.decisions.subscriptions import fold_subscription


def fold(
    state: EntityState | None,
    event: StripeEvent,
    *,
    truths: Mapping[ObjectRef, Truth],
    prices: Mapping[str, PlanPrice],
) -> Outcome:
    """Total. `state` is the customer's owner or None; `truths` holds what was fetched so far."""
    source = event.object
    problem = correlate(source, state)
    if problem is not None or state is None:
        assert problem is not None  # noqa: S101 - correlate never lets a missing owner pass
        return problem
    truth = _truth(truths, source)
    if truth is not None and not is_of(state, truth):
        return Refused(
            RefusalCode.CORRELATION_MISMATCH, "the provider says that it is another customer's"
        )
    match source:
        case ProviderSession():
            return fold_session(state, event, source)
        case ProviderSubscription():
            outcome = fold_subscription(
                state,
                event,
                source,
                truth=truth if isinstance(truth, ProviderSubscription) else None,
                prices=prices,
            )
            if isinstance(outcome, Applied):
                return Applied(reconcile_sessions(outcome.state))
            return outcome
        case ProviderInvoice():
            return fold_invoice(
                state, event, source, truth=truth if isinstance(truth, ProviderInvoice) else None
            )


def _truth(truths: Mapping[ObjectRef, Truth], source: ProviderObject) -> ProviderObject | None:
    family = Family.INVOICE if isinstance(source, ProviderInvoice) else Family.SUBSCRIPTION
    found = truths.get(ObjectRef(family, source.id))
    return found.object if found else None
