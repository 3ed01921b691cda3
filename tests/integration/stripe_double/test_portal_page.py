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


def test_details_change(shop: Any) -> None:
    url = portal_url(shop)
    httpx.post(f"{url}/details", data={"email": "new@example.com", "name": "Countess"})
    customer = shop.client.v1.customers.retrieve(shop.customer)
    assert (customer.email, customer.name) == ("new@example.com", "Countess")
    assert httpx.post(f"{url}/details", data={"email": "", "name": "X"}).status_code == 400
    assert "Countess" in httpx.get(f"{url}/details").text


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
