"""Active entitlements: what a customer's subscriptions give access to, and the event about it.

A subscription takes over its products' features when it begins, when its products change and when
a period begins; a feature that a product gains or loses meanwhile counts from the next period, as
Stripe documents. A paused subscription keeps its entitlements, an unpaid or ended one does not.
"""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import entitlement_features, product_features
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import listing, page

COLLECTION = "entitlements.active_entitlement"
_TAKEN = "entitlements.taken"
"""Private collection: the features a subscription took over, and for which products and periods."""
_GRANTS = "entitlements.grants"
"""Private collection: a customer's entitlements by feature id."""

ENTITLING = frozenset({"active", "past_due", "paused", "trialing"})
_SUMMARY_SHOWS = 10


def settle(tx: Transaction) -> None:
    """Before a transaction ends: entitlements follow the subscriptions it changed."""
    changed = [c.record for c in tx.store.changes() if c.collection == "subscription"]
    for subscription in changed:
        _take(tx, subscription)
    for customer in dict.fromkeys(s["customer"] for s in changed):
        _grant(tx, customer)


def _take(tx: Transaction, subscription: Record) -> None:
    entitles = subscription["status"] in ENTITLING
    items = subscription["items"]["data"] if entitles else []
    basis = [[item["price"]["product"], item["current_period_start"]] for item in items]
    taken = tx.store.find(_TAKEN, subscription["id"])
    if (taken or {"basis": []})["basis"] == basis:
        return
    features = [f for product, _ in basis for f in product_features.features_of(tx, product)]
    tx.keep(
        _TAKEN,
        {
            "id": subscription["id"],
            "customer": subscription["customer"],
            "basis": basis,
            "features": list(dict.fromkeys(features)),
        },
    )


def _grant(tx: Transaction, customer: str) -> None:
    taken = tx.store.newest(_TAKEN, where={"customer": customer})
    wanted = dict.fromkeys(f for record in reversed(list(taken)) for f in record["features"])
    before: Record = (tx.store.find(_GRANTS, customer) or {"grants": {}})["grants"]
    if before.keys() == wanted.keys():
        return
    previous = _summary(tx, customer)
    after = {feature: before.get(feature) or _new(tx, feature) for feature in wanted}
    for feature in before.keys() - wanted.keys():
        tx.put({**tx.get(COLLECTION, before[feature]), "deleted": True})
    tx.keep(_GRANTS, {"id": customer, "grants": after})
    tx.emit(
        "entitlements.active_entitlement_summary.updated",
        _summary(tx, customer),
        {"entitlements": previous["entitlements"]},
    )


def _new(tx: Transaction, feature_id: str) -> str:
    feature = tx.get(entitlement_features.COLLECTION, feature_id)
    made = tx.put(
        {
            "id": tx.new_id(COLLECTION),
            "object": COLLECTION,
            "feature": feature_id,
            "livemode": False,
            "lookup_key": feature["lookup_key"],
        }
    )
    return str(made["id"])


def _of_customer(tx: Transaction, customer: str) -> list[Record]:
    """Newest first."""
    grants = (tx.store.find(_GRANTS, customer) or {"grants": {}})["grants"]
    return [tx.get(COLLECTION, entitlement) for entitlement in reversed(grants.values())]


def _summary(tx: Transaction, customer: str) -> JsonObject:
    """What the event carries: the first page only, as at Stripe."""
    found = _of_customer(tx, customer)
    return {
        "object": "entitlements.active_entitlement_summary",
        "customer": customer,
        "entitlements": listing(
            found[:_SUMMARY_SHOWS],
            url=f"/v1/customer/{customer}/entitlements",
            has_more=len(found) > _SUMMARY_SHOWS,
        ),
        "livemode": False,
    }


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/entitlements/active_entitlements/{id}"""
    return dict(tx.get(COLLECTION, call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/entitlements/active_entitlements"""
    customer = tx.get("customer", call.params["customer"], param="customer")
    url = "/v1/entitlements/active_entitlements"
    return page(_of_customer(tx, customer["id"]), call.params, url=url)


OPERATIONS = (
    operation(
        "entitlements.active_entitlements.list",
        "GET /v1/entitlements/active_entitlements",
        list_all,
        "customer",
    ),
    operation(
        "entitlements.active_entitlements.retrieve",
        "GET /v1/entitlements/active_entitlements/{id}",
        retrieve,
    ),
)
