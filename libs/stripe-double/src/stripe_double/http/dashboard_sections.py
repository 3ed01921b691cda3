"""What the dashboard lists: for each kind of object its columns and its buttons, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from stripe_double.engine.attempts import url_of
from stripe_double.engine.records import Record
from stripe_double.engine.store import Store
from stripe_double.resources.invoice_lines import interval_of
from stripe_double.resources.subscriptions import TERMINAL
from stripe_double.wire.money import readable


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a row. `kind` is text, long, id, state or moment; `href` makes it a link."""

    text: str
    kind: str = "text"
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Button:
    """A form with one button: an action of `dashboard_actions`, on this object."""

    action: str
    label: str
    value: str = ""
    tone: str = "plain"


Column = tuple[str, Callable[[Record, Store], Cell]]
Buttons = Callable[[Record, Store], list[Button]]


@dataclass(frozen=True, slots=True)
class Section:
    """One page of the dashboard, and a table on its first one."""

    key: str
    title: str
    collection: str
    columns: tuple[Column, ...]
    buttons: Buttons
    empty: str


def object_href(collection: str, object_id: str) -> str:
    """The dashboard's page about one object."""
    return f"/_double/view/object/{collection}/{quote(object_id)}"


def _id(collection: str, field: str = "id") -> Callable[[Record, Store], Cell]:
    def cell(record: Record, _store: Store) -> Cell:
        value = record.get(field)
        if not value:
            return Cell("")
        return Cell(str(value), "id", object_href(collection, str(value)))

    return cell


def _text(field: str) -> Callable[[Record, Store], Cell]:
    return lambda record, _store: Cell(str(record.get(field) or ""))


def _state(field: str = "status") -> Callable[[Record, Store], Cell]:
    return lambda record, _store: Cell(str(record[field]), "state")


def _moment(field: str) -> Callable[[Record, Store], Cell]:
    return lambda record, _store: Cell(str(record.get(field) or ""), "moment")


def _money(field: str) -> Callable[[Record, Store], Cell]:
    def cell(record: Record, _store: Store) -> Cell:
        amount = record.get(field)
        return Cell("" if amount is None else readable(amount, record["currency"]))

    return cell


def _customer(record: Record, store: Store) -> Cell:
    customer = store.find("customer", record.get("customer") or "")
    if customer is None:
        details = record.get("customer_details") or {}
        return Cell(details.get("email") or record.get("customer_email") or "")
    name = customer["email"] or customer["name"] or customer["id"]
    return Cell(str(name), "text", object_href("customer", customer["id"]))


def _invoice(record: Record, _store: Store) -> Cell:
    shown = str(record["number"] or record["id"])
    return Cell(shown, "id", object_href("invoice", record["id"]))


def _plan(record: Record, store: Store) -> Cell:
    parts = []
    for item in record["items"]["data"]:
        product = store.find("product", item["price"]["product"]) or {"name": "Plan"}
        amount = readable(item["price"]["unit_amount"] or 0, item["price"]["currency"])
        every = interval_of(item["price"]["recurring"])
        parts.append(f"{item['quantity']} {product['name']} at {amount} / {every}")
    return Cell(", ".join(parts), "long")


def _period_end(record: Record, _store: Store) -> Cell:
    ends = [item["current_period_end"] for item in record["items"]["data"]]
    return Cell(str(record["ended_at"] or record["cancel_at"] or min(ends)), "moment")


def _ends(record: Record, _store: Store) -> Cell:
    if record["ended_at"]:
        return Cell("ended")
    return Cell("cancels" if record["cancel_at"] else "renews")


def refusal_of(store: Store, method_id: str | None) -> str | None:
    """Why the bank of a payment method refuses from now on; None: it pays."""
    bank = store.find("bank_behaviour", method_id or "") or {}
    reason: str | None = bank.get("decline_code")
    return reason


def _bank(record: Record, store: Store) -> Cell:
    reason = refusal_of(store, record["id"])
    return Cell("pays" if reason is None else f"refuses: {reason}")


def _method(record: Record, _store: Store) -> Cell:
    details = record[record["type"]]
    return Cell(f"{details.get('brand') or record['type']} {details.get('last4', '')}")


def _refunded(record: Record, store: Store) -> Cell:
    charge = store.find("charge", record.get("latest_charge") or "")
    amount = 0 if charge is None else charge["amount_refunded"]
    return Cell(readable(amount, record["currency"]) if amount else "")


def _subject(record: Record, _store: Store) -> Cell:
    subject = (record.get("data") or {}).get("object") or {}
    if not subject.get("id"):
        return Cell(str(subject.get("object", "")))
    return Cell(subject["id"], "id", object_href(subject["object"], subject["id"]))


def _delivered(record: Record, store: Store) -> Cell:
    event = store.find("event", record["event"])
    name = record["event"] if event is None else event["type"]
    return Cell(name, "text", object_href("event", record["event"]))


def _endpoint(record: Record, store: Store) -> Cell:
    for collection in ("webhook_endpoint", "v2.core.event_destination"):
        endpoint = store.find(collection, record["endpoint"])
        if endpoint is not None:
            return Cell(url_of(endpoint))
    return Cell(str(record["endpoint"]))


def _no_buttons(_record: Record, _store: Store) -> list[Button]:
    return []


def _session_buttons(record: Record, _store: Store) -> list[Button]:
    if record["status"] != "open":
        return []
    return [
        Button("pay", "Pay", tone="main"),
        Button("decline", "Decline"),
        Button("abandon", "Expire"),
    ]


def _subscription_buttons(record: Record, store: Store) -> list[Button]:
    if record["status"] in TERMINAL:
        return []
    buttons = [Button("renew", "Renew"), Button("miss", "Renew, refused")]
    if record["cancel_at"] is None:
        buttons.append(Button("cancel_later", "Cancel at period end"))
    else:
        buttons.append(Button("resume", "Do not cancel"))
    method = record["default_payment_method"]
    if method and refusal_of(store, method) is None:
        buttons.append(Button("refuse_card", "Refuse card later", value=method))
    elif method:
        buttons.append(Button("accept_card", "Accept card again", value=method))
    return [*buttons, Button("cancel", "Cancel now", tone="danger")]


def _invoice_buttons(record: Record, _store: Store) -> list[Button]:
    if record["status"] == "draft":
        return [Button("finalize", "Finalize")]
    if record["status"] in {"open", "uncollectible"}:
        buttons = [Button("collect", "Collect", tone="main"), Button("refuse", "Collect, refused")]
        return [*buttons, *([Button("void", "Void")] if record["status"] == "open" else [])]
    return []


def _payment_buttons(record: Record, store: Store) -> list[Button]:
    if record["status"] == "requires_action":
        return [
            Button("authenticate", "Authenticate", tone="main"),
            Button("fail_authentication", "Fail"),
        ]
    if record["status"] == "processing":
        return [Button("settle", "Settle now", tone="main")]
    charge = store.find("charge", record.get("latest_charge") or "")
    if record["status"] != "succeeded" or charge is None or charge["refunded"]:
        return []
    disputed = charge["disputed"]
    return [
        Button("refund", "Refund"),
        *([] if disputed else [Button("dispute", "Dispute", value=charge["id"], tone="danger")]),
    ]


def _dispute_buttons(record: Record, _store: Store) -> list[Button]:
    if record["status"] not in {"needs_response", "under_review"}:
        return []
    return [Button("end_dispute", "Won", value="won"), Button("end_dispute", "Lost", value="lost")]


def _card_buttons(record: Record, store: Store) -> list[Button]:
    if refusal_of(store, record["id"]) is None:
        return [Button("refuse_card", "Refuse later", value=record["id"])]
    return [Button("accept_card", "Accept again", value=record["id"], tone="main")]


def _event_buttons(_record: Record, _store: Store) -> list[Button]:
    return [Button("redeliver", "Send again")]


SECTIONS: dict[str, Section] = {
    section.key: section
    for section in (
        Section(
            "sessions",
            "Checkout sessions",
            "checkout.session",
            (
                ("Session", _id("checkout.session")),
                ("Status", _state()),
                ("Mode", _text("mode")),
                ("Total", _money("amount_total")),
                ("Customer", _customer),
                ("Reference", _text("client_reference_id")),
                ("Expires", _moment("expires_at")),
            ),
            _session_buttons,
            "No checkout session yet. Create one through the API, or try it below.",
        ),
        Section(
            "subscriptions",
            "Subscriptions",
            "subscription",
            (
                ("Subscription", _id("subscription")),
                ("Status", _state()),
                ("Plan", _plan),
                ("Customer", _customer),
                ("Period end", _period_end),
                ("Then", _ends),
            ),
            _subscription_buttons,
            "No subscription yet. Pay a checkout session.",
        ),
        Section(
            "invoices",
            "Invoices",
            "invoice",
            (
                ("Invoice", _invoice),
                ("Status", _state()),
                ("Reason", _text("billing_reason")),
                ("Total", _money("total")),
                ("Customer", _customer),
                ("Next attempt", _moment("next_payment_attempt")),
            ),
            _invoice_buttons,
            "No invoice yet.",
        ),
        Section(
            "payments",
            "Payments",
            "payment_intent",
            (
                ("Payment", _id("payment_intent")),
                ("Status", _state()),
                ("Amount", _money("amount")),
                ("Refunded", _refunded),
                ("Customer", _customer),
                ("Created", _moment("created")),
            ),
            _payment_buttons,
            "No payment yet.",
        ),
        Section(
            "refunds",
            "Refunds",
            "refund",
            (
                ("Refund", _id("refund")),
                ("Status", _state()),
                ("Amount", _money("amount")),
                ("Payment", _id("payment_intent", "payment_intent")),
                ("Reason", _text("reason")),
                ("Created", _moment("created")),
            ),
            _no_buttons,
            "No refund yet. Refund a payment.",
        ),
        Section(
            "disputes",
            "Disputes",
            "dispute",
            (
                ("Dispute", _id("dispute")),
                ("Status", _state()),
                ("Amount", _money("amount")),
                ("Reason", _text("reason")),
                ("Charge", _id("charge", "charge")),
                ("Created", _moment("created")),
            ),
            _dispute_buttons,
            "No dispute. Dispute a payment.",
        ),
        Section(
            "customers",
            "Customers",
            "customer",
            (
                ("Customer", _id("customer")),
                ("Email", _text("email")),
                ("Name", _text("name")),
                ("Currency", _text("currency")),
                ("Created", _moment("created")),
            ),
            lambda _record, _store: [Button("portal", "Open portal")],
            "No customer yet.",
        ),
        Section(
            "cards",
            "Payment methods",
            "payment_method",
            (
                ("Method", _id("payment_method")),
                ("Shows", _method),
                ("Its bank", _bank),
                ("Customer", _customer),
                ("Created", _moment("created")),
            ),
            _card_buttons,
            "No payment method yet.",
        ),
        Section(
            "links",
            "Payment links",
            "payment_link",
            (
                ("Link", _id("payment_link")),
                (
                    "Address",
                    lambda record, _store: Cell(record["url"], "text", record["url"]),
                ),
                (
                    "Status",
                    lambda record, _store: Cell(
                        "active" if record["active"] else "inactive", "state"
                    ),
                ),
            ),
            _no_buttons,
            "No payment link yet.",
        ),
        Section(
            "events",
            "Events",
            "event",
            (
                ("Event", _id("event")),
                ("Type", _text("type")),
                ("Object", _subject),
                ("Created", _moment("created")),
            ),
            _event_buttons,
            "No event yet.",
        ),
        Section(
            "deliveries",
            "Deliveries",
            "delivery",
            (
                ("Event", _delivered),
                ("Endpoint", _endpoint),
                ("State", _state("state")),
                ("Attempts", _text("attempts")),
                ("Due", _moment("due_at")),
            ),
            lambda record, _store: [Button("redeliver", "Send again", value=record["event"])],
            "No webhook endpoint has been sent anything.",
        ),
    )
}
SECTION_OF = {section.collection: section for section in SECTIONS.values()}
