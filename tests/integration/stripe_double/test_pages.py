"""The pages that people see: whole, escaped, labelled, without scripts; and what buttons do."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from stripe_double.http.dashboard_sections import SECTIONS

EVIL = "<script>alert('x')</script>"


class Page(HTMLParser):
    """What a page consists of, as far as these tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.labels: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.lang = ""
        self._in_label = 0
        self.wrapped: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        if tag == "html":
            self.lang = values.get("lang") or ""
        if tag == "label":
            self._in_label += 1
            self.labels.add(values.get("for") or "")
        if tag in {"input", "select", "textarea"} and values.get("type") != "hidden":
            self.fields.append(values)
            if self._in_label:
                self.wrapped.append(values)

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._in_label -= 1

    def unlabelled(self) -> list[dict[str, str | None]]:
        return [
            field
            for field in self.fields
            if field.get("id") not in self.labels
            and not field.get("aria-label")
            and field not in self.wrapped
        ]


@pytest.fixture
def dashboard(double: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{double.url}/_double", trust_env=False) as client:
        yield client


@pytest.fixture
def addresses(shop: Any) -> dict[str, str]:
    """Every page there is, over a world whose texts try to break out of them."""
    client, base = shop.client, shop.double.url
    client.v1.customers.update(shop.customer, {"name": EVIL})
    product = client.v1.prices.retrieve(shop.price).product
    client.v1.products.update(product, {"name": EVIL})
    bought = shop.bought(metadata={"note": EVIL})
    subscription = bought.subscription
    line = {"price": shop.price, "quantity": 1, "adjustable_quantity": {"enabled": True}}
    session = shop.session(
        client_reference_id="org-1", line_items=[line], allow_promotion_codes=True
    )
    link = client.v1.payment_links.create(
        {"line_items": [{"price": shop.price, "quantity": 1}], "inactive_message": EVIL}
    )
    client.v1.payment_links.update(link.id, {"active": False})
    portal = client.v1.billing_portal.sessions.create({"customer": shop.customer}).url
    event = client.v1.events.list({"limit": 1}).data[0].id
    one = f"{portal}/subscriptions/{subscription}"
    view = f"{base}/_double/view"
    return {
        "checkout": session.url,
        "link": link.url,
        "portal": portal,
        "cancel": f"{one}/cancel",
        "update": f"{one}/update",
        "confirm": f"{one}/confirm?quantity=2",
        "card": f"{portal}/cards",
        "details": f"{portal}/details",
        "done": f"{portal}/done?done=cancel",
        "invoice": f"{base}/i/{bought.invoice}",
        "overview": f"{base}/_double/",
        "faults": f"{view}/faults",
        "requests": f"{view}/requests",
        "subscription": f"{view}/object/subscription/{subscription}",
        "event": f"{view}/object/event/{event}",
        **{f"section {key}": f"{view}/{key}" for key in SECTIONS},
    }


def test_every_page_is_whole_labelled_and_free_of_scripts(addresses: dict[str, str]) -> None:
    for name, address in addresses.items():
        answer = httpx.get(address)
        assert answer.status_code == (410 if name == "link" else 200), (name, answer.text[:300])
        page = Page(answer.text)
        assert page.lang == "en", name
        assert "script" not in page.tags, name
        assert "main" in page.tags, name
        assert page.unlabelled() == [], name
        assert "viewport" in answer.text, name
        assert EVIL not in answer.text, name


def test_the_dashboard_shows_each_kind_and_leads_to_its_objects(
    shop: Any, dashboard: httpx.Client
) -> None:
    bought = shop.bought(client_reference_id="org-7")
    for key, wanted in (
        ("sessions", "org-7"),
        ("subscriptions", bought.subscription),
        ("invoices", bought.invoice),
        ("customers", "buyer@example.com"),
        ("payments", "$12.00"),
        ("events", "checkout.session.completed"),
    ):
        assert wanted in dashboard.get(f"/view/{key}").text, key
    page = dashboard.get(f"/view/object/subscription/{bought.subscription}").text
    assert "customer.subscription.created" in page
    assert "billing_cycle_anchor" in page
    for missing in ("/view/nonsense", "/view/object/customer/cus_none"):
        assert dashboard.get(missing).status_code == 404


def press(dashboard: httpx.Client, action: str, **fields: str) -> str:
    answer = dashboard.post(f"/forms/{action}", data=fields)
    assert answer.status_code == 303
    return str(dashboard.get(answer.headers["location"].removeprefix("/_double")).text)


def test_buttons_refuse_the_card_later_and_accept_it_again(
    shop: Any, dashboard: httpx.Client
) -> None:
    subscription = shop.client.v1.subscriptions.retrieve(shop.bought().subscription)
    method = subscription.default_payment_method
    assert "refuses from now on" in press(dashboard, "refuse_card", value=method)
    press(dashboard, "renew", id=subscription.id)
    after = shop.client.v1.subscriptions.retrieve(subscription.id)
    assert after.status == "past_due"
    assert "Accept card again" in dashboard.get("/view/subscriptions").text
    press(dashboard, "accept_card", value=method)
    invoice = shop.client.v1.invoices.list({"status": "open"}).data[0]
    press(dashboard, "collect", id=invoice.id)
    assert shop.client.v1.subscriptions.retrieve(subscription.id).status == "active"


def test_buttons_cancel_resume_refund_and_dispute(shop: Any, dashboard: httpx.Client) -> None:
    bought = shop.bought()
    press(dashboard, "cancel_later", id=bought.subscription)
    assert shop.client.v1.subscriptions.retrieve(bought.subscription).cancel_at_period_end
    press(dashboard, "resume", id=bought.subscription)
    assert not shop.client.v1.subscriptions.retrieve(bought.subscription).cancel_at_period_end
    intent = shop.client.v1.payment_intents.list({}).data[0]
    assert "Refund succeeded" in press(dashboard, "refund", id=intent.id)
    (refund,) = shop.client.v1.refunds.list({}).data
    assert refund.amount == 1200
    event = shop.client.v1.events.list({"type": "refund.created"}).data[0]
    assert event.request.id is None
    assert 'forms/refund"' not in dashboard.get("/view/payments").text
    shop.bought()
    newest = shop.client.v1.payment_intents.list({}).data[0]
    press(dashboard, "dispute", value=newest.latest_charge)
    (dispute,) = shop.client.v1.disputes.list({}).data
    press(dashboard, "end_dispute", id=dispute.id, value="won")
    assert shop.client.v1.disputes.retrieve(dispute.id).status == "won"


def test_faults_are_scripted_shown_and_cleared(shop: Any, dashboard: httpx.Client) -> None:
    fields = {"kind": "error_before", "operation": "customers.create", "times": "2"}
    assert "error_before" in press(dashboard, "fault", **fields)
    hook = {"kind": "delay", "event_type": "invoice.paid", "delay_seconds": "60"}
    press(dashboard, "webhook_fault", **hook)
    shown = dashboard.get("/view/faults").text
    assert "customers.create" in shown
    assert "invoice.paid" in shown
    assert "nonsense" in press(dashboard, "fault", kind="nonsense")
    assert "must be a number" in press(dashboard, "fault", kind="delay", delay_ms="soon")
    press(dashboard, "hold")
    assert "webhooks held" in dashboard.get("/").text
    press(dashboard, "release")
    press(dashboard, "clear_faults")
    assert "Nothing is scripted" in dashboard.get("/view/faults").text
    shop.client.v1.customers.create({"email": "fine@example.com"})


def test_an_event_shows_its_delivery_attempts(
    shop: Any, dashboard: httpx.Client, receiver: Any, wait: Any
) -> None:
    receiver.answers += [500, 200]
    shop.client.v1.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["customer.created"]}
    )
    shop.client.v1.customers.create({"email": "new@example.com"})
    (event,) = shop.client.v1.events.list({"type": "customer.created", "limit": 1}).data
    wait(lambda: len(shop.double.ledger("delivery", event=event.id)) == 2)
    page = dashboard.get(f"/view/object/event/{event.id}").text
    assert "failed" in page
    assert "500" in page
    assert receiver.url in dashboard.get("/view/deliveries").text
    press(dashboard, "redeliver", id=event.id)
    receiver.wait_for(3)


def test_the_clock_moves_and_a_sample_is_made(shop: Any, dashboard: httpx.Client) -> None:
    bought = shop.bought()
    press(dashboard, "advance", value=str(32 * 86_400))
    assert len(shop.client.v1.invoices.list({"subscription": bought.subscription}).data) == 2
    assert "/c/pay/cs_test_" in press(dashboard, "sample")
    assert "/p/session/" in press(dashboard, "portal", id=shop.customer)
    for back in ("//evil.test/", "https://evil.test/"):
        answer = dashboard.post("/forms/advance", data={"value": "0", "back": back})
        assert answer.headers["location"].startswith("/_double/?")
