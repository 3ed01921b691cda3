"""The control plane: what a test or a person may do to the world besides calling the API."""

from __future__ import annotations

import math

from stripe_double.engine.delivery import SECRETS
from stripe_double.engine.errors import ApiError, invalid_request
from stripe_double.engine.records import JsonObject
from stripe_double.engine.world import World
from stripe_double.fault_control import FaultControl
from stripe_double.payment_control import PaymentControl
from stripe_double.resources import invoices, renewals
from stripe_double.resources.checkout_completion import Buyer, pay_session
from stripe_double.resources.checkout_sessions import expire_session
from stripe_double.resources.payment_methods import CARDS, set_bank_behaviour
from stripe_double.resources.portal_configurations import switch_default
from stripe_double.resources.prices import new_price
from stripe_double.resources.products import new_product
from stripe_double.resources.subscriptions import end_subscription
from stripe_double.resources.test_sources import source_of
from stripe_double.resources.webhook_endpoints import new_endpoint
from stripe_double.settings import Settings
from stripe_double.world_control import WorldControl

GOOD_CARD = "4242424242424242"
DECLINED_CARD = "4000000000000002"
MAX_ADVANCE_SECONDS = 100 * 366 * 86_400


class ControlPlane(FaultControl, PaymentControl, WorldControl):
    """Synchronous; call it in the double's event loop. Errors are ApiError."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings
        self._snapshots = {}

    # -- buyers ------------------------------------------------------------------------------

    def pay(
        self,
        session_id: str,
        *,
        card: str = GOOD_CARD,
        email: str | None = None,
        name: str | None = None,
    ) -> JsonObject:
        """The buyer pays with a test card or account, or with `none`. Declined: ApiError 402."""
        self._world.run_due()
        with self._world.transaction() as tx:
            session = tx.get("checkout.session", session_id)
            buyer = Buyer(card=source_of(card), email=email or None, name=name or None)
            result = pay_session(tx, session, buyer)
        if isinstance(result, ApiError):
            raise result
        return result

    def decline(self, session_id: str, *, card: str = DECLINED_CARD) -> JsonObject:
        """The buyer tries a card that its bank refuses: the refusal, as Stripe words it."""
        if CARDS.get(card) is None or CARDS[card].decline_code is None:
            raise invalid_request(f"{card} is not a test card that is declined.", param="card")
        email = None
        session = self._world.store.find("checkout.session", session_id) or {}
        if session.get("customer") is None:
            email = session.get("customer_email") or "buyer@example.com"
        try:
            self.pay(session_id, card=card, email=email)
        except ApiError as refusal:
            if refusal.status != 402:
                raise
            return refusal.body("")["error"]  # type: ignore[no-any-return]
        raise invalid_request("Nothing was due, so nothing could be declined.")

    def abandon(self, session_id: str) -> JsonObject:
        """The buyer walks away: Stripe expires the session, without waiting for its time."""
        with self._world.transaction() as tx:
            return expire_session(tx, tx.get("checkout.session", session_id))

    # -- subscriptions -----------------------------------------------------------------------

    def renew(self, subscription_id: str, *, decline_code: str | None = None) -> JsonObject:
        """Renew as if the period ended now; the invoice, paid or refused."""
        with self._world.transaction() as tx:
            subscription = tx.get("subscription", subscription_id)
            return renewals.renew_now(tx, subscription, decline_code=decline_code)

    def collect(self, invoice_id: str, *, decline_code: str | None = None) -> JsonObject:
        """Retry the payment of an open invoice now; the invoice afterwards."""
        with self._world.transaction() as tx:
            invoice = tx.get("invoice", invoice_id)
            if not invoices.LIFECYCLE.allows(invoice["status"], "pay"):
                raise invalid_request(f"This invoice is {invoice['status']}; it cannot be paid.")
            return renewals.collect(tx, invoice, decline_code=decline_code)

    def end_subscription(self, subscription_id: str) -> JsonObject:
        """Cancel now, as from the dashboard: no request is named in the event."""
        with self._world.transaction() as tx:
            subscription = tx.get("subscription", subscription_id)
            return end_subscription(tx, subscription, reason="cancellation_requested")

    def change_bank(self, payment_method_id: str, *, decline_code: str | None) -> None:
        """From now on the bank refuses this card (or pays again, with None)."""
        with self._world.transaction() as tx:
            tx.get("payment_method", payment_method_id)
            set_bank_behaviour(tx, payment_method_id, decline_code)

    def save_portal_default(self, *, saved: bool) -> None:
        """Whether somebody saved the portal's default configuration in the dashboard."""
        with self._world.transaction() as tx:
            switch_default(tx, saved=saved)

    # -- time and events ---------------------------------------------------------------------

    def advance(self, seconds: float) -> int:
        """Move the clock; everything due happens in order. The new virtual second."""
        if not math.isfinite(seconds) or seconds > MAX_ADVANCE_SECONDS:
            message = "The clock moves by a finite number of seconds, at most a century at once."
            raise invalid_request(message, param="seconds")
        if seconds < 0:
            raise invalid_request("The clock cannot go backwards.", param="seconds")
        self._world.advance(seconds)
        return self._world.clock.now

    # -- the whole world ---------------------------------------------------------------------

    def seed_catalog(
        self, *, currency: str = "usd", unit_amount: int = 1200, interval: str = "month"
    ) -> JsonObject:
        """One product with one recurring price, ready to sell: both."""
        with self._world.transaction() as tx:
            product = new_product(tx, {"name": "Pro"})
            price = new_price(
                tx,
                {
                    "currency": currency,
                    "unit_amount": unit_amount,
                    "product": product["id"],
                    "recurring": {"interval": interval},
                },
            )
        return {"product": product, "price": price}

    def reset(self, *, seed: str | None = None) -> None:
        """Forget everything; the endpoint of the settings exists again."""
        self._world.reset(seed=seed)
        self.ensure_configured_endpoint()

    def ensure_configured_endpoint(self) -> None:
        """The endpoint of the settings exists and signs with their secrets."""
        url, secrets = self._settings.webhook_url, list(self._settings.webhook_secrets)
        if url is None:
            return
        with self._world.transaction() as tx:
            found = next(tx.newest("webhook_endpoint", where={"url": url}), None)
            if found is None:
                new_endpoint(tx, {"url": url, "enabled_events": ["*"]}, secrets=secrets)
            else:
                tx.keep(SECRETS, {"id": found["id"], "secrets": secrets})
