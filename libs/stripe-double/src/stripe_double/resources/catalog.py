"""The whole operation table, and how a request finds its row."""

from __future__ import annotations

from dataclasses import dataclass

from stripe_double.engine.deadlines import Deadline
from stripe_double.engine.errors import ApiError, invalid_request, not_modelled
from stripe_double.engine.records import JsonObject
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import (
    active_entitlements,
    balance_transactions,
    bank_transfers,
    card_sources,
    cash_balances,
    charges,
    checkout_creation,
    checkout_sessions,
    coupons,
    credit_notes,
    customer_balance_transactions,
    customers,
    disputes,
    early_fraud_warnings,
    entitlement_features,
    events,
    invoice_charging,
    invoice_items,
    invoice_payments,
    invoices,
    mandates,
    meter_event_adjustments,
    meter_event_summaries,
    meter_events,
    meters,
    payment_intent_operations,
    payment_links,
    payment_method_attachment,
    payment_methods,
    payment_pages,
    portal_configurations,
    portal_sessions,
    prices,
    product_creation,
    product_features,
    products,
    promotion_codes,
    refunds,
    settlements,
    setup_intents,
    subscription_discounts,
    subscription_items,
    subscription_resumption,
    subscription_schedules,
    subscriptions,
    test_clocks,
    webhook_endpoints,
)
from stripe_double.resources.operations import Call, Operation
from stripe_double.wire.tables import known_paths

OPERATIONS: tuple[Operation, ...] = (
    *customers.OPERATIONS,
    *customer_balance_transactions.OPERATIONS,
    *cash_balances.OPERATIONS,
    *bank_transfers.OPERATIONS,
    *card_sources.OPERATIONS,
    *coupons.OPERATIONS,
    *promotion_codes.OPERATIONS,
    *product_creation.OPERATIONS,
    *products.OPERATIONS,
    *prices.OPERATIONS,
    *checkout_creation.OPERATIONS,
    *checkout_sessions.OPERATIONS,
    *portal_configurations.OPERATIONS,
    *portal_sessions.OPERATIONS,
    *payment_links.OPERATIONS,
    *entitlement_features.OPERATIONS,
    *product_features.OPERATIONS,
    *active_entitlements.OPERATIONS,
    *meters.OPERATIONS,
    *meter_events.OPERATIONS,
    *meter_event_adjustments.OPERATIONS,
    *meter_event_summaries.OPERATIONS,
    *payment_pages.OPERATIONS,
    *subscriptions.OPERATIONS,
    *subscription_discounts.OPERATIONS,
    *subscription_resumption.OPERATIONS,
    *subscription_items.OPERATIONS,
    *subscription_schedules.OPERATIONS,
    *invoices.OPERATIONS,
    *invoice_items.OPERATIONS,
    *invoice_payments.OPERATIONS,
    *credit_notes.OPERATIONS,
    *payment_intent_operations.OPERATIONS,
    *setup_intents.OPERATIONS,
    *mandates.OPERATIONS,
    *charges.OPERATIONS,
    *refunds.OPERATIONS,
    *disputes.OPERATIONS,
    *early_fraud_warnings.OPERATIONS,
    *balance_transactions.OPERATIONS,
    *payment_methods.OPERATIONS,
    *payment_method_attachment.OPERATIONS,
    *events.OPERATIONS,
    *webhook_endpoints.OPERATIONS,
    *test_clocks.OPERATIONS,
)

DEADLINES: dict[str, Deadline] = {
    **checkout_sessions.DEADLINES,
    **disputes.DEADLINES,
    **refunds.DEADLINES,
    **test_clocks.DEADLINES,
    **settlements.DEADLINES,
}

BEFORE_COMMIT = (active_entitlements.settle,)
"""What follows from a transaction's changes, whoever made them; part of the same transaction."""

INCLUDABLES = {
    ("checkout.session", "line_items"): checkout_sessions.included_line_items,
    ("payment_link", "line_items"): payment_links.included_line_items,
    ("invoice", "confirmation_secret"): invoice_charging.confirmation_secret,
    ("invoice", "payments"): invoice_payments.included,
    ("charge", "refunds"): charges.included_refunds,
}

_ID = "{id}"
_ROWS = {(row.method, row.path): row for row in OPERATIONS}
_WITH_IDS: dict[tuple[str, int], list[tuple[list[str], Operation]]] = {}
for _row in sorted(OPERATIONS, key=lambda row: row.path.count(_ID)):
    _parts = _row.path.split("/")
    _WITH_IDS.setdefault((_row.method, len(_parts)), []).append((_parts, _row))


@dataclass(frozen=True, slots=True)
class Route:
    """The row that answers a request, and the id in its path (two ids: joined by a slash)."""

    operation: Operation
    object_id: str

    @property
    def names(self) -> frozenset[str]:
        """What a fault may call this operation: its name, or `METHOD /v1/path/{id}`."""
        return frozenset({self.operation.name, self.operation.route})


def find_route(method: str, path: str) -> Route:
    """The row for a request, or ApiError: 404 unknown at Stripe, 501 not modelled here."""
    path = path.rstrip("/")
    row = _ROWS.get((method, path))
    if row is not None:
        return Route(row, "")
    if (method, path) in known_paths():
        raise not_modelled(f"the operation {method} {path}")
    segments = path.split("/")
    for parts, row in _WITH_IDS.get((method, len(segments)), ()):
        if _fits(parts, segments):
            ids = [segment for part, segment in zip(parts, segments, strict=True) if part == _ID]
            return Route(row, "/".join(ids))
    raise _no_route(method, path, segments)


def _no_route(method: str, path: str, segments: list[str]) -> ApiError:
    for known_method, known in known_paths():
        parts = known.split("/")
        if known_method == method and len(parts) == len(segments) and _fits(parts, segments):
            return not_modelled(f"the operation {method} {known}")
    return invalid_request(f"Unrecognized request URL ({method}: {path}).", status=404)


def _fits(parts: list[str], segments: list[str]) -> bool:
    pairs = zip(parts, segments, strict=True)
    return all(segment and part in (_ID, segment) for part, segment in list(pairs)[1:])


_BY_NAME = {row.name: row for row in OPERATIONS}


def perform(
    tx: Transaction, name: str, object_id: str, params: JsonObject
) -> JsonObject | ApiError:
    """Execute an operation as the hosted pages do: typed parameters, the caller's transaction."""
    return _BY_NAME[name].handler(tx, Call(object_id, params))
