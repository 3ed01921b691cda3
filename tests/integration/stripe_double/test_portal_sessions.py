"""Portal sessions and configurations through the API: what is accepted, and what is not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe


@pytest.fixture
def subscribed(shop: Any) -> Any:
    return shop.client.v1.subscriptions.retrieve(shop.bought().subscription)


def open_portal(shop: Any, **changes: Any) -> Any:
    params = {"customer": shop.customer, "return_url": "http://shop.test/account", **changes}
    return shop.client.v1.billing_portal.sessions.create(
        {name: value for name, value in params.items() if value is not None}
    )


def test_a_session_has_a_url_and_the_default_configuration(shop: Any) -> None:
    session = open_portal(shop)
    assert session.url.startswith(f"{shop.double.url}/p/session/test_")
    assert (session.customer, session.return_url) == (shop.customer, "http://shop.test/account")
    configuration = shop.client.v1.billing_portal.configurations.retrieve(session.configuration)
    assert (configuration.is_default, configuration.active) == (True, True)
    assert open_portal(shop).configuration == configuration.id
    expanded = open_portal(shop, expand=["configuration"])
    assert expanded.configuration.features.subscription_cancel.mode == "at_period_end"
    assert shop.event_types()[-1] == "billing_portal.session.created"


def test_without_a_saved_default_stripe_refuses(shop: Any) -> None:
    shop.double.call(lambda control: control.save_portal_default(saved=False))
    with pytest.raises(stripe.InvalidRequestError, match="default configuration has not been"):
        open_portal(shop)
    made = shop.client.v1.billing_portal.configurations.create(
        {"features": {"invoice_history": {"enabled": True}}}
    )
    assert open_portal(shop, configuration=made.id).configuration == made.id
    shop.client.v1.billing_portal.configurations.update(made.id, {"active": False})
    with pytest.raises(stripe.InvalidRequestError, match="not active"):
        open_portal(shop, configuration=made.id)
    httpx.post(f"{shop.double.url}/_double/portal/default", json={"saved": True})
    assert open_portal(shop).configuration != made.id


def test_flows_name_what_they_are_about(shop: Any, subscribed: Any) -> None:
    item = subscribed["items"].data[0]
    yearly = shop.client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 12000,
            "product": item.price.product,
            "recurring": {"interval": "year"},
        }
    )
    after = {"type": "redirect", "redirect": {"return_url": "http://shop.test/done"}}
    cancel = open_portal(
        shop,
        flow_data={
            "type": "subscription_cancel",
            "subscription_cancel": {"subscription": subscribed.id},
            "after_completion": after,
        },
    )
    assert cancel.flow.subscription_cancel.subscription == subscribed.id
    assert cancel.flow.after_completion.redirect.return_url == "http://shop.test/done"
    update = open_portal(
        shop,
        flow_data={
            "type": "subscription_update",
            "subscription_update": {"subscription": subscribed.id},
        },
    )
    assert update.flow.after_completion.type == "portal_homepage"
    confirm = open_portal(
        shop,
        flow_data={
            "type": "subscription_update_confirm",
            "subscription_update_confirm": {
                "subscription": subscribed.id,
                "items": [{"id": item.id, "price": yearly.id}],
            },
        },
    )
    (confirmed,) = confirm.flow.subscription_update_confirm["items"]
    assert (confirmed.id, confirmed.price, confirmed.quantity) == (item.id, yearly.id, 1)
    card = open_portal(shop, flow_data={"type": "payment_method_update"})
    assert card.flow.type == "payment_method_update"


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"customer": None}, "customer"),
        ({"customer": "cus_none"}, "customer"),
        ({"return_url": "shop"}, "return_url"),
        ({"configuration": "bpc_none"}, "configuration"),
        ({"flow_data": {"type": "nonsense"}}, "flow_data[type]"),
        ({"flow_data": {"type": "subscription_cancel"}}, "flow_data[subscription_cancel]"),
        (
            {
                "flow_data": {
                    "type": "subscription_cancel",
                    "subscription_cancel": {"subscription": "sub_none"},
                }
            },
            "flow_data[subscription_cancel][subscription]",
        ),
        (
            {
                "flow_data": {
                    "type": "payment_method_update",
                    "subscription_cancel": {"subscription": "sub_none"},
                }
            },
            "flow_data[subscription_cancel]",
        ),
        (
            {
                "flow_data": {
                    "type": "payment_method_update",
                    "after_completion": {"type": "redirect"},
                }
            },
            "flow_data[after_completion][redirect]",
        ),
    ],
)
def test_what_a_session_must_and_must_not_have(shop: Any, changes: Any, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        open_portal(shop, **changes)
    assert (caught.value.http_status, caught.value.param) == (400, param)


def test_a_flow_is_only_about_the_customer_s_own_running_subscription(
    shop: Any, subscribed: Any
) -> None:
    flow = {
        "type": "subscription_cancel",
        "subscription_cancel": {"subscription": subscribed.id},
    }
    other = shop.client.v1.customers.create({"email": "other@example.com"})
    with pytest.raises(stripe.InvalidRequestError, match="does not belong"):
        open_portal(shop, customer=other.id, flow_data=flow)
    shop.client.v1.subscriptions.update(subscribed.id, {"cancel_at_period_end": True})
    with pytest.raises(stripe.InvalidRequestError, match="already set to be canceled"):
        open_portal(shop, flow_data=flow)
    shop.client.v1.subscriptions.cancel(subscribed.id)
    with pytest.raises(stripe.InvalidRequestError, match="has ended"):
        open_portal(shop, flow_data=flow)


def test_a_configuration_bounds_what_a_flow_may_do(shop: Any, subscribed: Any) -> None:
    item = subscribed["items"].data[0]
    other = shop.client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 500,
            "product": item.price.product,
            "recurring": {"interval": "month"},
        }
    )
    configurations = shop.client.v1.billing_portal.configurations
    update = {
        "enabled": True,
        "default_allowed_updates": ["price"],
        "products": [{"product": item.price.product, "prices": [shop.price]}],
    }
    made = configurations.create({"features": {"subscription_update": update}})
    assert made.features.subscription_cancel.enabled is False
    flow: dict[str, Any] = {
        "type": "subscription_update_confirm",
        "subscription_update_confirm": {
            "subscription": subscribed.id,
            "items": [{"id": item.id, "price": other.id}],
        },
    }
    with pytest.raises(stripe.InvalidRequestError) as caught:
        open_portal(shop, configuration=made.id, flow_data=flow)
    path = "flow_data[subscription_update_confirm][items][0][price]"
    assert caught.value.param == path
    update["products"] = [{"product": item.price.product, "prices": [shop.price, other.id]}]
    configurations.update(made.id, {"features": {"subscription_update": update}})
    assert open_portal(shop, configuration=made.id, flow_data=flow).flow is not None
    with pytest.raises(stripe.InvalidRequestError, match="disabled"):
        open_portal(
            shop,
            configuration=made.id,
            flow_data={
                "type": "subscription_cancel",
                "subscription_cancel": {"subscription": subscribed.id},
            },
        )
    assert [c.id for c in configurations.list({"is_default": False}).data] == [made.id]


def test_what_is_not_modelled_fails_loudly(shop: Any) -> None:
    for changes in (
        {"customer_account": "acct_1"},
        {"flow_data": {"type": "subscription_pause"}},
        {"on_behalf_of": "acct_1"},
    ):
        with pytest.raises(stripe.APIError) as caught:
            open_portal(shop, **changes)
        assert caught.value.http_status == 501
