"""Checkout, payment links, the portal."""

from __future__ import annotations

from tests.integration.stripe_double.conformance.in_process import Shop
from tests.integration.stripe_double.conformance.scenarios import stock


def sessions(shop: Shop) -> None:
    sessions = shop.v1.checkout.sessions
    made = sessions.create(
        stock.session_params(
            shop,
            client_reference_id="org-1",
            metadata={"of": "session"},
            subscription_data={"metadata": {"of": "subscription"}},
        )
    )
    sessions.retrieve(made.id, {"expand": ["line_items"]})
    sessions.line_items.list(made.id)
    sessions.list({"limit": 3})
    shop.control.pay(made.id)
    sessions.retrieve(made.id, {"expand": ["subscription", "invoice", "customer"]})
    sessions.expire(sessions.create(stock.session_params(shop)).id)
    sessions.create(stock.session_params(shop))
    shop.control.advance(2 * stock.DAY)


def session_update(shop: Shop) -> None:
    made = shop.v1.checkout.sessions.create(stock.session_params(shop))
    shop.v1.checkout.sessions.update(made.id, {"metadata": {"a": "b"}})


def session_of_one_payment(shop: Shop) -> None:
    line = {
        "price_data": {"currency": "jpy", "unit_amount": 700, "product_data": {"name": "Book"}},
        "quantity": 2,
    }
    stock.bought(shop, mode="payment", line_items=[line], payment_intent_data={"metadata": {}})


def session_with_trial(shop: Shop) -> None:
    bought = stock.bought(shop, subscription_data={"trial_period_days": 3})
    shop.control.advance(4 * stock.DAY)
    shop.v1.subscriptions.retrieve(bought.subscription)


def session_that_sets_up(shop: Shop) -> None:
    stock.bought(shop, mode="setup", line_items=None, currency="usd")


def command_line_interface(shop: Shop) -> None:
    made = shop.v1.checkout.sessions.create(stock.session_params(shop, customer_email=None))
    shop.client.raw_request("get", f"/v1/payment_pages/{made.id}")
    method = shop.v1.payment_methods.create(
        {
            "type": "card",
            "card": {"token": "tok_visa"},
            "billing_details": {"email": "cli@example.com"},
        }
    )
    shop.client.raw_request(
        "post",
        f"/v1/payment_pages/{made.id}/confirm",
        payment_method=method.id,
        expected_amount=1200,
    )


def payment_links(shop: Shop) -> None:
    links = shop.v1.payment_links
    made = links.create(
        {
            "line_items": [{"price": stock.monthly(shop), "quantity": 1}],
            "metadata": {"campaign": "spring"},
            "after_completion": {
                "type": "redirect",
                "redirect": {"url": "http://shop.test/thanks"},
            },
            "restrictions": {"completed_sessions": {"limit": 1}},
        }
    )
    links.retrieve(made.id)
    links.list_line_items(made.id) if hasattr(links, "list_line_items") else links.line_items.list(
        made.id
    )
    links.update(made.id, {"metadata": {"campaign": "summer"}})
    links.list({"active": True})
    links.update(made.id, {"active": False})


def portal(shop: Shop) -> None:
    portal = shop.v1.billing_portal
    configuration = portal.configurations.create(
        {
            "features": {
                "invoice_history": {"enabled": True},
                "payment_method_update": {"enabled": True},
                "subscription_cancel": {"enabled": True, "mode": "at_period_end"},
            },
            "business_profile": {"headline": "Your plan"},
        }
    )
    portal.configurations.update(configuration.id, {"active": True, "metadata": {"a": "b"}})
    portal.configurations.retrieve(configuration.id)
    portal.configurations.list({"active": True})
    customer = stock.bought(shop).customer
    portal.sessions.create({"customer": customer, "return_url": "http://shop.test/back"})
    portal.sessions.create({"customer": customer, "configuration": configuration.id})


SCENARIOS = (
    sessions,
    session_update,
    session_of_one_payment,
    session_with_trial,
    session_that_sets_up,
    command_line_interface,
    payment_links,
    portal,
)
