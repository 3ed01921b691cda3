"""The control plane: what a test or a person may do to the world besides calling the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, TypeVar

from stripe_double.engine.delivery import COLLECTION, SECRETS, find_endpoint
from stripe_double.engine.errors import ApiError, invalid_request
from stripe_double.engine.faults import Fault, FaultKind
from stripe_double.engine.rate_limits import RateLimits
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.webhook_faults import SWITCHES, WebhookFault, WebhookFaultKind
from stripe_double.engine.world import World
from stripe_double.resources import invoices, renewals
from stripe_double.resources.checkout_completion import Buyer, pay_session
from stripe_double.resources.checkout_sessions import expire_session
from stripe_double.resources.payment_methods import CARDS, card_of, set_bank_behaviour
from stripe_double.resources.portal_configurations import switch_default
from stripe_double.resources.prices import new_price
from stripe_double.resources.products import new_product
from stripe_double.resources.subscriptions import end_subscription
from stripe_double.resources.webhook_endpoints import new_endpoint
from stripe_double.settings import Settings

GOOD_CARD = "4242424242424242"
DECLINED_CARD = "4000000000000002"

Made = TypeVar("Made")


class ControlPlane:
    """Synchronous; call it in the double's event loop. Errors are ApiError."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings

    # -- buyers ------------------------------------------------------------------------------

    def pay(
        self,
        session_id: str,
        *,
        card: str = GOOD_CARD,
        email: str | None = None,
        name: str | None = None,
    ) -> JsonObject:
        """The buyer pays with a test card. Declined: ApiError 402."""
        self._world.run_due()
        with self._world.transaction() as tx:
            session = tx.get("checkout.session", session_id)
            buyer = Buyer(card=card_of(card), email=email or None, name=name or None)
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

    # -- time and faults ---------------------------------------------------------------------

    def advance(self, seconds: float) -> int:
        """Move the clock; everything due happens in order. The new virtual second."""
        if seconds < 0:
            raise invalid_request("The clock cannot go backwards.", param="seconds")
        self._world.advance(seconds)
        return self._world.clock.now

    def add_fault(self, kind: str, **details: Any) -> Fault:
        """Script one API fault (see `engine.faults`)."""
        fault = _made(FaultKind, lambda: Fault(FaultKind(kind), **details))
        self._world.faults.add(fault)
        self._note("fault_added", fault=fault.kind, operation=fault.operation)
        return fault

    def add_webhook_fault(self, kind: str, **details: Any) -> WebhookFault:
        """Script one fault of coming deliveries (see `engine.webhook_faults`)."""
        fault = _made(WebhookFaultKind, lambda: WebhookFault(WebhookFaultKind(kind), **details))
        self._world.webhook_faults.add(fault)
        self._note("webhook_fault_added", fault=fault.kind, event_type=fault.event_type)
        return fault

    def mix_faults(self, chances: Mapping[str, float], **details: Any) -> None:
        """API faults by chance, drawn from the seed: `{kind: probability per request}`.

        `details` are fields of the faults. No chances: no faults by chance any more.
        """
        _made(FaultKind, lambda: self._world.faults.set_mix(chances, **details))
        self._note("faults_mixed", chances=dict(chances))

    def mix_webhook_faults(self, chances: Mapping[str, float], **details: Any) -> None:
        """Webhook faults by chance, drawn from the seed: `{kind: probability per delivery}`."""
        _made(WebhookFaultKind, lambda: self._world.webhook_faults.set_mix(chances, **details))
        self._note("webhook_faults_mixed", chances=dict(chances))

    def clear_faults(self) -> None:
        """No API faults any more, scripted or by chance."""
        self._world.faults.clear()
        self._note("faults_cleared")

    def clear_webhook_faults(self) -> None:
        """No scripted or random webhook faults any more; switches stay as they are."""
        self._world.webhook_faults.clear()
        self._note("webhook_faults_cleared")

    def set_webhook_faults(self, **values: Any) -> JsonObject:
        """Change switches for all webhooks (see `WebhookSwitches`); all of them as they are."""
        switches = self._world.courier.switches
        unknown = values.keys() - set(SWITCHES)
        if unknown:
            raise invalid_request(f"Unknown webhook faults: {', '.join(sorted(unknown))}.")
        for name, value in values.items():
            if not isinstance(value, type(getattr(switches, name))):
                raise invalid_request(f"Wrong type for {name}.", param=name)
        if values:
            switches.set(**values)
            self._note("webhook_switches_set", **{name: values[name] for name in sorted(values)})
            self._world.courier.wake()
        return switches.stored()

    def set_rate_limits(self, **limits: Any) -> None:
        """Other rate limits (see `engine.rate_limits.RateLimits`); those not named are off."""
        try:
            self._world.rates.change(RateLimits(**limits))
        except (ValueError, TypeError) as error:
            raise invalid_request(f"Not a rate limit: {error}.") from error
        self._note("rate_limits_set", **limits)

    def set_event_list_lag(self, seconds: float) -> None:
        """Events appear in lists so many virtual seconds after they happened."""
        self._world.options = replace(self._world.options, event_list_lag_seconds=seconds)
        self._note("event_list_lag_set", seconds=seconds)

    def release_webhooks(self) -> None:
        """End a hold: everything that waited is sent."""
        self.set_webhook_faults(hold=False)

    def redeliver(self, event_id: str) -> int:
        """Send an event again to every endpoint that was to have it; how many."""
        self._find_event(event_id)
        count = 0
        for delivery in list(self._world.store.newest(COLLECTION, where={"event": event_id})):
            self._world.courier.enqueue(delivery["id"], float(self._world.clock.now))
            count += 1
        return count

    def inject_event(self, event_type: str, subject: Record) -> JsonObject:
        """Emit an event of any type with any object: unknown types, huge payloads."""
        with self._world.transaction() as tx:
            return tx.emit(event_type, subject)

    def rotate_secret(
        self,
        endpoint_id: str,
        *,
        new_secret: str | None = None,
        overlap_seconds: float | None = None,
    ) -> list[str]:
        """Sign with a second secret too; with two already, drop the older. The secrets in use.

        With `overlap_seconds` (virtual, up to a day at Stripe) the old one ends by itself.
        """
        with self._world.transaction() as tx:
            if find_endpoint(tx.store, endpoint_id) is None:
                tx.get("webhook_endpoint", endpoint_id)
            current = self._world.courier.signing_secrets(endpoint_id)
            if len(current) == 1:
                current.insert(0, new_secret or tx.new_id("webhook_secret"))
            else:
                current = current[:1]
            kept: JsonObject = {"id": endpoint_id, "secrets": current}
            if overlap_seconds is not None:
                kept["rotation_ends_at"] = tx.now + overlap_seconds
            tx.keep(SECRETS, kept)
            return current

    # -- the whole world ---------------------------------------------------------------------

    def ledger(
        self, kind: str | None = None, *, after_seq: int = 0, **facts: Any
    ) -> list[JsonObject]:
        """The oracle's entries."""
        return self._world.ledger.entries(kind, after_seq=after_seq, **facts)

    def objects(self, collection: str, **where: Any) -> list[Record]:
        """Every stored object of a type, oldest first, with the given values."""
        return [
            record
            for record in self._world.store.oldest(collection)
            if all(record.get(name) == value for name, value in where.items())
        ]

    def deliveries(self) -> list[Record]:
        """Every delivery: one event for one endpoint, with its state and attempts."""
        return self.objects(COLLECTION)

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

    def _note(self, action: str, **facts: Any) -> None:
        """The ledger knows of it, and what changed is stored."""
        with self._world.transaction() as tx:
            tx.ledger.append("control", tx.now, action=action, **facts)

    def _find_event(self, event_id: str) -> Record:
        with self._world.transaction() as tx:
            return tx.get("event", event_id)


def _made(kinds: type[StrEnum], make: Callable[[], Made]) -> Made:
    try:
        return make()
    except (ValueError, TypeError) as error:
        raise invalid_request(
            f"Not a fault: {error}. Kinds: {', '.join(kinds)}.", param="kind"
        ) from error
