"""The portal as a person uses it: each step changes what the API shows, on nobody's request."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

HOUR = 3600


@pytest.fixture
def subscribed(shop: Any) -> Any:
    return shop.client.v1.subscriptions.retrieve(shop.bought().subscription)


def portal_url(shop: Any, **changes: Any) -> str:
    params = {"customer": shop.customer, "return_url": "http://shop.test/account", **changes}
    return str(shop.client.v1.billing_portal.sessions.create(params).url)


def current(shop: Any, subscribed: Any) -> Any:
    return shop.client.v1.subscriptions.retrieve(subscribed.id)


def last_event(shop: Any, event_type: str) -> Any:
    return shop.client.v1.events.list({"type": event_type}).data[0]


def path(url: str, subscribed: Any, step: str) -> str:
    return f"{url}/subscriptions/{subscribed.id}/{step}"


def test_the_first_page_shows_plan_card_details_and_invoices(shop: Any, subscribed: Any) -> None:
    page = httpx.get(portal_url(shop))
    assert page.status_code == 200
    for shown in ("Pro", "$12.00", "4242", "buyer@example.com", "Cancel subscription", "paid"):
        assert shown in page.text, shown
    assert 'href="http://shop.test/account"' in page.text


def test_cancel_at_period_end_and_resume(shop: Any, subscribed: Any) -> None:
    url = portal_url(shop)
    assert "stays available until" in httpx.get(path(url, subscribed, "cancel")).text
    form = {"feedback": "too_expensive", "comment": "bye"}
    answer = httpx.post(path(url, subscribed, "cancel"), data=form)
    assert answer.headers["location"].endswith("?done=cancel")
    after = current(shop, subscribed)
    assert (after.status, after.cancel_at_period_end) == ("active", True)
    details = after.cancellation_details
    assert (details.feedback, details.comment) == ("too_expensive", "bye")
    event = last_event(shop, "customer.subscription.updated")
    assert (event.request.id, event.request.idempotency_key) == (None, None)
    assert event.data.previous_attributes.cancel_at_period_end is False
    assert "Don&#39;t cancel" in httpx.get(url).text or "Don't cancel" in httpx.get(url).text
    httpx.post(path(url, subscribed, "resume"))
    assert current(shop, subscribed).cancel_at is None
    again = httpx.post(path(url, subscribed, "resume"))
    assert again.status_code == 400


def test_a_configuration_may_cancel_at_once(shop: Any, subscribed: Any) -> None:
    made = shop.client.v1.billing_portal.configurations.create(
        {"features": {"subscription_cancel": {"enabled": True, "mode": "immediately"}}}
    )
    url = portal_url(shop, configuration=made.id)
    assert "ends at once" in httpx.get(path(url, subscribed, "cancel")).text
    httpx.post(path(url, subscribed, "cancel"))
    assert current(shop, subscribed).status == "canceled"
    event = last_event(shop, "customer.subscription.deleted")
    assert (event.data.object.id, event.request.id) == (subscribed.id, None)
    assert httpx.post(path(url, subscribed, "cancel")).status_code == 404
    assert "No running subscription" in httpx.get(url).text


def test_a_new_card_becomes_the_default_and_pays_the_renewal(shop: Any, subscribed: Any) -> None:
    url = portal_url(shop)
    before = subscribed.default_payment_method
    httpx.post(f"{url}/cards", data={"card": "5555 5555 5555 4444", "name": "Ada"})
    customer = shop.client.v1.customers.retrieve(shop.customer)
    new = customer.invoice_settings.default_payment_method
    assert new not in {None, before}
    assert current(shop, subscribed).default_payment_method == new
    assert shop.client.v1.payment_methods.retrieve(new).card.last4 == "4444"
    assert last_event(shop, "payment_method.attached").request.id is None
    httpx.post(f"{url}/cards/{before}/default")
    assert current(shop, subscribed).default_payment_method == before
    assert httpx.post(f"{url}/cards", data={"card": "1"}).status_code == 402
    assert httpx.post(f"{url}/cards/pm_none/default").status_code == 404


def test_details_change(shop: Any) -> None:
    url = portal_url(shop)
    httpx.post(f"{url}/details", data={"email": "new@example.com", "name": "Countess"})
    customer = shop.client.v1.customers.retrieve(shop.customer)
    assert (customer.email, customer.name) == ("new@example.com", "Countess")
    assert httpx.post(f"{url}/details", data={"email": "", "name": "X"}).status_code == 400
    assert "Countess" in httpx.get(f"{url}/details").text


def yearly_price(shop: Any, subscribed: Any) -> Any:
    return shop.client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 12000,
            "product": subscribed["items"].data[0].price.product,
            "recurring": {"interval": "year"},
        }
    )


def test_switch_price_and_quantity(shop: Any, subscribed: Any) -> None:
    yearly, url = yearly_price(shop, subscribed), portal_url(shop)
    assert "$120.00" in httpx.get(path(url, subscribed, "update")).text
    query = {"price": yearly.id, "quantity": "3"}
    assert "$360.00" in httpx.get(path(url, subscribed, "confirm"), params=query).text
    answer = httpx.post(path(url, subscribed, "update"), data=query)
    assert answer.status_code == 303, answer.text
    item = current(shop, subscribed)["items"].data[0]
    assert (item.id, item.price.id, item.quantity) == (
        subscribed["items"].data[0].id,
        yearly.id,
        3,
    )
    event = last_event(shop, "customer.subscription.updated")
    assert event.request.id is None
    assert "items" in event.data.previous_attributes
    for wrong in ({"quantity": "0"}, {"quantity": "many"}, {"price": "price_none"}):
        assert httpx.post(path(url, subscribed, "update"), data=wrong).status_code == 400


def test_deep_links_open_on_their_step_and_return(shop: Any, subscribed: Any) -> None:
    url = portal_url(
        shop,
        flow_data={
            "type": "subscription_cancel",
            "subscription_cancel": {"subscription": subscribed.id},
            "after_completion": {
                "type": "redirect",
                "redirect": {"return_url": "http://shop.test/gone"},
            },
        },
    )
    opened = httpx.get(url)
    assert opened.headers["location"].endswith(f"/subscriptions/{subscribed.id}/cancel")
    done = httpx.post(path(url, subscribed, "cancel"))
    assert done.headers["location"] == "http://shop.test/gone"
    assert current(shop, subscribed).cancel_at_period_end
    assert httpx.get(url).status_code == 200


def test_a_flow_may_end_with_a_confirmation(shop: Any) -> None:
    url = portal_url(
        shop,
        flow_data={
            "type": "payment_method_update",
            "after_completion": {
                "type": "hosted_confirmation",
                "hosted_confirmation": {"custom_message": "All set"},
            },
        },
    )
    assert httpx.get(url).headers["location"].endswith("/cards")
    done = httpx.post(f"{url}/cards", data={"card": "4242424242424242"})
    page = httpx.get(f"{shop.double.url}{done.headers['location']}")
    assert "All set" in page.text


def test_an_update_is_confirmed_through_a_deep_link(shop: Any, subscribed: Any) -> None:
    yearly, item = yearly_price(shop, subscribed), subscribed["items"].data[0]
    url = portal_url(
        shop,
        flow_data={
            "type": "subscription_update_confirm",
            "subscription_update_confirm": {
                "subscription": subscribed.id,
                "items": [{"id": item.id, "price": yearly.id, "quantity": 2}],
            },
        },
    )
    step = httpx.get(url).headers["location"]
    assert "$240.00" in httpx.get(f"{shop.double.url}{step}").text
    form = {"price": yearly.id, "quantity": "2"}
    done = httpx.post(path(url, subscribed, "update"), data=form)
    assert done.headers["location"].endswith("?done=update")
    after = current(shop, subscribed)["items"].data[0]
    assert (after.price.id, after.quantity) == (yearly.id, 2)


def test_an_address_is_short_lived(shop: Any) -> None:
    unused, used = portal_url(shop), portal_url(shop)
    assert httpx.get(used).status_code == 200
    shop.double.call(lambda control: control.advance(6 * 60))
    assert httpx.get(unused).status_code == 410
    assert httpx.get(used).status_code == 200
    shop.double.call(lambda control: control.advance(HOUR - 60))
    assert httpx.get(used).status_code == 200
    shop.double.call(lambda control: control.advance(HOUR + 60))
    assert httpx.get(used).status_code == 410
    assert httpx.post(f"{used}/cards").status_code == 410
    assert httpx.get(f"{shop.double.url}/p/session/none").status_code == 404


def test_nobody_touches_another_customer_s_things(shop: Any, subscribed: Any) -> None:
    other = shop.client.v1.customers.create({"email": "other@example.com"})
    url = portal_url(shop, customer=other.id)
    for step in ("cancel", "resume", "update"):
        assert httpx.post(path(url, subscribed, step)).status_code == 404
    card = subscribed.default_payment_method
    assert httpx.post(f"{url}/cards/{card}/default").status_code == 404
    assert current(shop, subscribed).cancel_at is None


def test_what_a_configuration_leaves_out_is_not_possible(shop: Any, subscribed: Any) -> None:
    made = shop.client.v1.billing_portal.configurations.create(
        {"features": {"invoice_history": {"enabled": True}}}
    )
    url = portal_url(shop, configuration=made.id)
    assert "Cancel subscription" not in httpx.get(url).text
    for answer in (
        httpx.get(path(url, subscribed, "cancel")),
        httpx.post(path(url, subscribed, "cancel")),
        httpx.post(path(url, subscribed, "update"), data={"quantity": "2"}),
        httpx.post(f"{url}/cards", data={"card": "4242424242424242"}),
        httpx.post(f"{url}/details", data={"email": "x@example.com"}),
    ):
        assert answer.status_code == 403


def test_the_invoice_page_shows_and_pays(shop: Any, subscribed: Any) -> None:
    shop.double.call(lambda control: control.renew(subscribed.id, decline_code="generic_decline"))
    invoice = shop.client.v1.invoices.list({"status": "open"}).data[0]
    url = f"{shop.double.url}/i/{invoice.id}"
    assert "$12.00" in httpx.get(url).text
    refused = httpx.post(f"{url}/pay", data={"card": "4000000000000341"})
    assert refused.status_code == 402
    paid = httpx.post(f"{url}/pay", data={"card": "4242424242424242"})
    assert paid.status_code == 303, paid.text
    assert shop.client.v1.invoices.retrieve(invoice.id).status == "paid"
    assert current(shop, subscribed).status == "active"
    assert httpx.get(f"{shop.double.url}/i/in_none").status_code == 404
