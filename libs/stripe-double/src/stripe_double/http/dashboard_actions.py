"""What the buttons of the dashboard do; each answers with a sentence about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stripe_double.control import ControlPlane
from stripe_double.engine.errors import invalid_request

Values = Mapping[str, str]
_SAMPLE_URL = "https://example.com/thanks?session={CHECKOUT_SESSION_ID}"
_NUMBERS = ("times", "skip", "delay_ms", "status", "copies", "places", "size_bytes")


class DashboardActions:
    """`do(action, values)`: `values` are the form's fields, `id` the object's id."""

    def __init__(self, control: ControlPlane) -> None:
        self._control = control
        self._actions: dict[str, Callable[[str, Values], str]] = {
            "pay": self._pay,
            "decline": lambda i, _: f"Declined: {control.decline(i)['message']}",
            "abandon": lambda i, _: f"Session {control.abandon(i)['status']}.",
            "renew": lambda i, _: f"Renewed: invoice {control.renew(i)['status']}.",
            "miss": lambda i, _: f"Renewal refused: invoice {self._renew_refused(i)}.",
            "cancel": lambda i, _: f"Subscription {control.end_subscription(i)['status']}.",
            "cancel_later": lambda i, _: self._schedule(i, ends=True),
            "resume": lambda i, _: self._schedule(i, ends=False),
            "finalize": lambda i, _: f"Invoice {control.act('invoices.finalize', i)['status']}.",
            "collect": lambda i, _: f"Invoice {control.collect(i)['status']}.",
            "refuse": lambda i, _: f"Refused: invoice {self._collect_refused(i)}.",
            "void": lambda i, _: f"Invoice {control.act('invoices.void', i)['status']}.",
            "refund": self._refund,
            "dispute": lambda _, v: f"Dispute {control.dispute_charge(v['value'])['status']}.",
            "end_dispute": lambda i, v: f"Dispute {self._end_dispute(i, v['value'])}.",
            "authenticate": lambda i, _: f"Payment {control.authenticate(i)['status']}.",
            "fail_authentication": lambda i, _: f"Payment {self._fail(i)}.",
            "settle": lambda i, _: f"Payment {control.settle_payment(i)['status']}.",
            "refuse_card": lambda _, v: self._bank(v["value"], "generic_decline"),
            "accept_card": lambda _, v: self._bank(v["value"], None),
            "redeliver": lambda i, v: self._redeliver(v.get("value") or i),
            "portal": self._portal,
            "advance": lambda _, v: f"Clock moved on to {self._advance(v)}.",
            "fault": lambda _, v: self._add_fault(v),
            "webhook_fault": lambda _, v: self._add_webhook_fault(v),
            "clear_faults": lambda _, __: self._clear_faults(),
            "hold": lambda _, __: self._hold(on=True),
            "release": lambda _, __: self._hold(on=False),
            "sample": lambda _, __: self._sample(),
        }

    def do(self, action: str, values: Values) -> str:
        """Do it; ApiError when it cannot be done."""
        if action not in self._actions:
            raise invalid_request(f"There is no action {action}.")
        return self._actions[action](values.get("id", ""), values)

    def _pay(self, session_id: str, _values: Values) -> str:
        paid = self._control.pay(session_id, email="buyer@example.com")
        return f"Session {paid['status']}, {paid['payment_status'].replace('_', ' ')}."

    def _renew_refused(self, subscription_id: str) -> str:
        invoice = self._control.renew(subscription_id, decline_code="generic_decline")
        return str(invoice["status"])

    def _collect_refused(self, invoice_id: str) -> str:
        return str(self._control.collect(invoice_id, decline_code="generic_decline")["status"])

    def _schedule(self, subscription_id: str, *, ends: bool) -> str:
        params = {"cancel_at_period_end": ends}
        self._control.act("subscriptions.update", subscription_id, params)
        return "Cancels at the end of its period." if ends else "Goes on."

    def _refund(self, intent_id: str, _values: Values) -> str:
        refund = self._control.act("refunds.create", "", {"payment_intent": intent_id})
        return f"Refund {refund['status']}."

    def _fail(self, intent_id: str) -> str:
        return str(self._control.authenticate(intent_id, succeeds=False)["status"])

    def _end_dispute(self, dispute_id: str, ending: str) -> str:
        return str(self._control.end_dispute(dispute_id, ending=ending)["status"])

    def _bank(self, method_id: str, decline_code: str | None) -> str:
        self._control.change_bank(method_id, decline_code=decline_code)
        return "Its bank pays again." if decline_code is None else "Its bank refuses from now on."

    def _redeliver(self, event_id: str) -> str:
        return f"Sent again to {self._control.redeliver(event_id)} endpoint(s)."

    def _portal(self, customer_id: str, _values: Values) -> str:
        params = {"customer": customer_id}
        session = self._control.act("billing_portal.sessions.create", "", params)
        return f"Portal: {session['url']}"

    def _advance(self, values: Values) -> int:
        try:
            seconds = float(values.get("value") or 0)
        except ValueError as error:
            raise invalid_request(f"Not a number of seconds: {values['value']}") from error
        return self._control.advance(seconds)

    def _add_fault(self, values: Values) -> str:
        details = _details(values, ("operation", *_NUMBERS))
        self._control.add_fault(values.get("kind", ""), **details)
        return f"Fault {values['kind']} waits for {details.get('operation', '*')}."

    def _add_webhook_fault(self, values: Values) -> str:
        details = _details(values, ("event_type", *_NUMBERS))
        if values.get("delay_seconds"):
            details["delay_seconds"] = _number("delay_seconds", values["delay_seconds"])
        self._control.add_webhook_fault(values.get("kind", ""), **details)
        return f"Webhook fault {values['kind']} waits for {details.get('event_type', '*')}."

    def _clear_faults(self) -> str:
        self._control.clear_faults()
        self._control.clear_webhook_faults()
        return "No faults any more."

    def _hold(self, *, on: bool) -> str:
        if on:
            self._control.set_webhook_faults(hold=True)
            return "Webhooks are held back."
        self._control.release_webhooks()
        return "Webhooks go out."

    def _sample(self) -> str:
        price = self._control.seed_catalog()["price"]
        session = self._control.act(
            "checkout.sessions.create",
            "",
            {
                "mode": "subscription",
                "line_items": [{"price": price["id"], "quantity": 1}],
                "success_url": _SAMPLE_URL,
            },
        )
        return f"Checkout: {session['url']}"


def _details(values: Values, names: tuple[str, ...]) -> dict[str, object]:
    given = {name: values[name] for name in names if values.get(name)}
    return {
        name: int(_number(name, value)) if name in _NUMBERS else value
        for name, value in given.items()
    }


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise invalid_request(f"{name} must be a number.", param=name) from error
