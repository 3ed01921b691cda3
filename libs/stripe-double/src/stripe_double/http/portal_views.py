"""What each page of the portal shows."""

from __future__ import annotations

from itertools import islice

from starlette.requests import Request

from stripe_double.engine.errors import invalid_request
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.world import World
from stripe_double.portal import Portal, Visit, offered_to
from stripe_double.resources import portal_configurations
from stripe_double.resources.subscriptions import TERMINAL, last_period_end
from stripe_double.resources.test_cards import CARDS

_INVOICES_SHOWN = 24
_REASONS = {
    "too_expensive": "It's too expensive",
    "missing_features": "I need more features",
    "switched_service": "I found an alternative",
    "unused": "I no longer need it",
    "customer_service": "Customer service was less than expected",
    "too_complex": "Ease of use was less than expected",
    "low_quality": "Quality was less than expected",
    "other": "Other reason",
}


class PortalViews:
    """The values of the portal's templates, by page."""

    def __init__(self, world: World, portal: Portal) -> None:
        self._world = world
        self._portal = portal

    def home(self, visit: Visit) -> JsonObject:
        """Everything the configuration lets this customer see."""
        store, where = self._world.store, {"customer": visit.customer["id"]}
        invoices = (i for i in store.newest("invoice", where=where) if i["status"] != "draft")
        return {
            "plans": [
                self._plan(visit, subscription)
                for subscription in store.newest("subscription", where=where)
                if subscription["status"] not in TERMINAL
            ],
            "cards": self._cards(visit),
            "invoices": list(islice(invoices, _INVOICES_SHOWN)),
            "features": visit.configuration["features"],
        }

    def cancel(self, visit: Visit, request: Request) -> JsonObject:
        """What ends, when, and the reasons a customer may give."""
        feature = visit.feature("subscription_cancel")
        subscription = self._subscription(visit, request)
        reasons = feature["cancellation_reason"]
        return {
            **self._plan(visit, subscription),
            "immediately": feature["mode"] == "immediately",
            "reasons": [(name, _REASONS[name]) for name in reasons["options"]]
            if reasons["enabled"]
            else [],
        }

    def update(self, visit: Visit, request: Request) -> JsonObject:
        """The plans on offer, and the quantity if it may change."""
        visit.feature("subscription_update")
        subscription = self._subscription(visit, request)
        item = subscription["items"]["data"][0]
        with self._world.transaction() as tx:
            offered = offered_to(tx, visit, subscription)
            bounds = portal_configurations.quantity_bounds(
                tx, visit.configuration, item["price"]["product"]
            )
        if item["price"]["id"] not in {price["id"] for price in offered}:
            offered = [item["price"], *offered]
        return {
            **self._plan(visit, subscription),
            "offers": [(price, self._product_name(price)) for price in offered],
            "bounds": bounds,
        }

    def confirm(self, visit: Visit, request: Request) -> JsonObject:
        """The plan as it is and as it will be."""
        visit.feature("subscription_update")
        subscription = self._subscription(visit, request)
        item = subscription["items"]["data"][0]
        query = request.query_params
        price = self._world.store.find("price", query.get("price", item["price"]["id"]))
        if price is None:
            raise invalid_request("There is no such plan.", status=404)
        return {
            **self._plan(visit, subscription),
            "new_price": price,
            "new_name": self._product_name(price),
            "new_quantity": number_of(query.get("quantity", ""), item["quantity"]),
            "behavior": visit.configuration["features"]["subscription_update"][
                "proration_behavior"
            ],
        }

    def card(self, visit: Visit, _request: Request) -> JsonObject:
        """The test cards."""
        visit.feature("payment_method_update")
        return {"test_cards": list(CARDS.values()), "cards": self._cards(visit)}

    def details(self, visit: Visit, _request: Request) -> JsonObject:
        """What the customer may change about themselves."""
        return {"allowed": visit.feature("customer_update")["allowed_updates"]}

    def _subscription(self, visit: Visit, request: Request) -> Record:
        return self._portal.subscription(visit, request.path_params["subscription_id"])

    def _plan(self, visit: Visit, subscription: Record) -> JsonObject:
        items = subscription["items"]["data"]
        method_id = subscription["default_payment_method"] or self._default_card(visit)
        return {
            "subscription": subscription,
            "item": items[0],
            "lines": [(item, self._product_name(item["price"])) for item in items],
            "name": self._product_name(items[0]["price"]),
            "total": sum((i["price"]["unit_amount"] or 0) * (i["quantity"] or 0) for i in items),
            "period_end": last_period_end(subscription),
            "method": self._world.store.find("payment_method", method_id or ""),
        }

    def _cards(self, visit: Visit) -> list[tuple[Record, bool]]:
        default = self._default_card(visit)
        found = self._world.store.newest("payment_method", where={"customer": visit.customer["id"]})
        return [(m, m["id"] == default) for m in found if m["type"] == "card"]

    @staticmethod
    def _default_card(visit: Visit) -> str | None:
        default: str | None = visit.customer["invoice_settings"]["default_payment_method"]
        return default

    def _product_name(self, price: Record) -> str:
        product = self._world.store.find("product", price["product"])
        return "Plan" if product is None else str(product["name"])


def step_of(visit: Visit) -> str:
    """The address of the step that a deep link is about."""
    flow, home = visit.flow or {}, f"/p/session/{visit.token}"
    kind = flow["type"]
    if kind == "payment_method_update":
        return f"{home}/cards"
    if kind == "customer_update":
        return f"{home}/details"
    about = flow[kind]
    one = f"{home}/subscriptions/{about['subscription']}"
    if kind == "subscription_update_confirm":
        item = about["items"][0]
        return f"{one}/confirm?price={item['price']}&quantity={item['quantity']}"
    return f"{one}/cancel" if kind == "subscription_cancel" else f"{one}/update"


def number_of(text: str, otherwise: int) -> int:
    """A whole number as typed, or `otherwise` when nothing was; nonsense: ApiError 400."""
    if not text:
        return int(otherwise)
    if not text.isdecimal():
        raise invalid_request("The quantity must be a whole number.", param="quantity")
    return int(text)
