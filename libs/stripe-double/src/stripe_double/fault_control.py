"""Faults, rate limits and webhooks, as the control plane scripts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, TypeVar

from stripe_double.engine.delivery import COLLECTION, SECRETS, find_endpoint
from stripe_double.engine.errors import invalid_request
from stripe_double.engine.faults import Fault, FaultKind
from stripe_double.engine.rate_limits import RateLimits
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.webhook_faults import SWITCHES, WebhookFault, WebhookFaultKind
from stripe_double.engine.world import World

Made = TypeVar("Made")


class FaultControl:
    """Synchronous; call it in the double's event loop. Errors are ApiError."""

    _world: World

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
