"""What a customer does in the portal: the same operations as the API's, on nobody's request.

A step is gathered from the session's address, decided by its configuration, and applied through
the operation table; the events it causes name no request, as at Stripe.
"""

from __future__ import annotations

from dataclasses import dataclass

from stripe_double.engine.errors import ApiError, invalid_request
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.engine.world import World
from stripe_double.resources import portal_configurations
from stripe_double.resources.catalog import perform
from stripe_double.resources.payment_methods import new_payment_method
from stripe_double.resources.portal_sessions import IDLE_SECONDS, VISITS
from stripe_double.resources.subscriptions import TERMINAL
from stripe_double.resources.test_cards import card_of


@dataclass(frozen=True, slots=True)
class Visit:
    """An open portal address: who came, with which configuration, and the flow that is left."""

    token: str
    session: Record
    customer: Record
    configuration: Record
    flow: Record | None

    def feature(self, name: str) -> Record:
        """A feature's settings; ApiError 403 when the configuration does not enable it."""
        feature: Record = self.configuration["features"][name]
        if not feature["enabled"]:
            raise invalid_request("This portal does not offer that.", status=403)
        return feature


class Portal:
    """Every method is one thing a customer does. Errors are ApiError."""

    def __init__(self, world: World) -> None:
        self._world = world

    def open(self, token: str) -> Visit:
        """The visit behind an address, kept open for another hour. 404 unknown, 410 expired."""
        self._world.run_due()
        with self._world.transaction() as tx:
            return self._enter(tx, token)

    @staticmethod
    def _enter(tx: Transaction, token: str) -> Visit:
        kept = tx.store.find(VISITS, token)
        if kept is None:
            raise invalid_request("There is no such portal page.", status=404)
        if kept["closes_at"] <= tx.now:
            raise invalid_request("This link to the portal has expired.", status=410)
        session = tx.get("billing_portal.session", kept["session"])
        customer = tx.find("customer", session["customer"])
        if customer is None:
            raise invalid_request("This link to the portal has expired.", status=410)
        tx.keep(VISITS, {**kept, "closes_at": tx.now + IDLE_SECONDS})
        return Visit(
            token=token,
            session=session,
            customer=customer,
            configuration=tx.get(portal_configurations.COLLECTION, session["configuration"]),
            flow=None if kept.get("flow_done") else session["flow"],
        )

    def subscription(self, visit: Visit, subscription_id: str) -> Record:
        """One of the customer's own subscriptions that has not ended; else ApiError 404."""
        found = self._world.store.find("subscription", subscription_id)
        if (
            found is None
            or found["customer"] != visit.customer["id"]
            or found["status"] in TERMINAL
        ):
            raise invalid_request("There is no such subscription.", status=404)
        return found

    def cancel(self, token: str, subscription_id: str, *, feedback: str, comment: str) -> None:
        """Cancel now or at the period's end, as the configuration says."""
        with self._world.transaction() as tx:
            visit = self._enter(tx, token)
            feature = visit.feature("subscription_cancel")
            self.subscription(visit, subscription_id)
            details = {
                name: value
                for name, value in (("feedback", feedback), ("comment", comment))
                if value
            }
            params: JsonObject = {"cancellation_details": details} if details else {}
            if feature["mode"] == "immediately":
                if feature["proration_behavior"] != "none":
                    params |= {
                        "prorate": True,
                        "invoice_now": feature["proration_behavior"] == "always_invoice",
                    }
                perform(tx, "subscriptions.cancel", subscription_id, params)
            else:
                params["cancel_at_period_end"] = True
                perform(tx, "subscriptions.update", subscription_id, params)
            self._finish(tx, visit, "subscription_cancel")

    def resume(self, token: str, subscription_id: str) -> None:
        """Take a scheduled cancellation back."""
        with self._world.transaction() as tx:
            visit = self._enter(tx, token)
            visit.feature("subscription_cancel")
            before = self.subscription(visit, subscription_id)
            if before["cancel_at"] is None:
                raise invalid_request("This subscription is not going to be canceled.")
            params: JsonObject = {"cancel_at_period_end": False}
            if not before["cancel_at_period_end"]:
                params = {"cancel_at": ""}
            perform(tx, "subscriptions.update", subscription_id, params)

    def change_plan(self, token: str, subscription_id: str, *, price: str, quantity: int) -> None:
        """Switch the only item to a price the configuration offers, or change its quantity."""
        with self._world.transaction() as tx:
            visit = self._enter(tx, token)
            feature = visit.feature("subscription_update")
            subscription = self.subscription(visit, subscription_id)
            item = subscription["items"]["data"][0]
            change = self._checked_change(tx, visit, subscription, price, quantity)
            if change:
                params: JsonObject = {
                    "items": [{"id": item["id"], **change}],
                    "proration_behavior": feature["proration_behavior"],
                }
                result = perform(tx, "subscriptions.update", subscription_id, params)
                if isinstance(result, ApiError):
                    raise result
            self._finish(tx, visit, "subscription_update", "subscription_update_confirm")

    @staticmethod
    def _checked_change(
        tx: Transaction, visit: Visit, subscription: Record, price: str, quantity: int
    ) -> JsonObject:
        item = subscription["items"]["data"][0]
        if len(subscription["items"]["data"]) > 1:
            raise invalid_request("A plan with several parts cannot be changed here.")
        change: JsonObject = {}
        product = item["price"]["product"]
        if price != item["price"]["id"]:
            offered = {p["id"]: p for p in offered_to(tx, visit, subscription)}
            if price not in offered:
                raise invalid_request("This portal does not offer that plan.", param="price")
            change["price"], product = price, offered[price]["product"]
        confirmed = (visit.flow or {}).get("subscription_update_confirm")
        if quantity != item["quantity"]:
            bounds = portal_configurations.quantity_bounds(tx, visit.configuration, product)
            if bounds is None and not confirmed:
                raise invalid_request("The quantity cannot be changed here.", param="quantity")
            least, greatest = bounds or (1, 999_999)
            if not least <= quantity <= greatest:
                raise invalid_request(
                    f"Choose a quantity from {least} to {greatest}.", param="quantity"
                )
            change["quantity"] = quantity
        return change

    def add_card(self, token: str, *, number: str, name: str) -> None:
        """A new card becomes the customer's default and pays their running subscriptions."""
        with self._world.transaction() as tx:
            visit = self._enter(tx, token)
            visit.feature("payment_method_update")
            customer = visit.customer
            billing = {"email": customer["email"], "name": name or customer["name"]}
            method = new_payment_method(
                tx, card_of(number), customer=customer["id"], billing=billing
            )
            self._make_default(tx, customer["id"], method["id"])
            self._finish(tx, visit, "payment_method_update")

    def choose_card(self, token: str, method_id: str) -> None:
        """One of the customer's cards becomes the default and pays their subscriptions."""
        with self._world.transaction() as tx:
            visit = self._enter(tx, token)
            visit.feature("payment_method_update")
            self._own_method(tx, visit, method_id)
            self._make_default(tx, visit.customer["id"], method_id)
            self._finish(tx, visit, "payment_method_update")

    @staticmethod
    def _make_default(tx: Transaction, customer_id: str, method_id: str) -> None:
        settings = {"invoice_settings": {"default_payment_method": method_id}}
        perform(tx, "customers.update", customer_id, settings)
        for subscription in list(tx.newest("subscription", where={"customer": customer_id})):
            own = subscription["default_payment_method"]
            if subscription["status"] not in TERMINAL and own not in {None, method_id}:
                params = {"default_payment_method": method_id}
                perform(tx, "subscriptions.update", subscription["id"], params)

    @staticmethod
    def _own_method(tx: Transaction, visit: Visit, method_id: str) -> Record:
        method = tx.find("payment_method", method_id)
        if method is None or method["customer"] != visit.customer["id"]:
            raise invalid_request("There is no such card.", status=404)
        return method

    def change_details(self, token: str, *, email: str, name: str) -> None:
        """Change what the configuration lets the customer change about themselves."""
        with self._world.transaction() as tx:
            visit = self._enter(tx, token)
            allowed = visit.feature("customer_update")["allowed_updates"]
            given = {"email": email, "name": name}
            params = {field: value for field, value in given.items() if field in allowed}
            if not params.get("email", "x"):
                raise invalid_request("An email address is needed.", param="email")
            perform(tx, "customers.update", visit.customer["id"], params)
            self._finish(tx, visit, "customer_update")

    @staticmethod
    def _finish(tx: Transaction, visit: Visit, *kinds: str) -> None:
        if visit.flow is not None and visit.flow["type"] in kinds:
            kept = tx.store.find(VISITS, visit.token) or {}
            tx.keep(VISITS, {**kept, "flow_done": True})


def offered_to(tx: Transaction, visit: Visit, subscription: Record) -> list[Record]:
    """Prices this customer may switch to. Without the price update: none."""
    feature = visit.configuration["features"]["subscription_update"]
    if "price" not in feature["default_allowed_updates"]:
        return []
    return portal_configurations.offered_prices(tx, visit.configuration, subscription["currency"])
