"""Customers, products, prices, payment methods, webhook endpoints through the official SDK."""

from __future__ import annotations

from typing import Any

import pytest
import stripe


def test_a_customer_is_created_changed_listed_and_deleted(client: Any) -> None:
    customer = client.v1.customers.create(
        {"email": "a@example.com", "metadata": {"entity": "1", "gone": "x"}}
    )
    changed = client.v1.customers.update(
        customer.id, {"name": "Ada", "email": "", "metadata": {"gone": "", "new": "y"}}
    )
    assert (changed.name, changed.email) == ("Ada", None)
    assert changed.metadata.to_dict() == {"entity": "1", "new": "y"}
    assert client.v1.customers.update(customer.id, {"metadata": ""}).metadata.to_dict() == {}
    assert [c.id for c in client.v1.customers.list().data] == [customer.id]
    assert client.v1.customers.delete(customer.id).deleted
    assert client.v1.customers.retrieve(customer.id).deleted
    assert client.v1.customers.list().data == []


def test_ids_are_case_sensitive_and_missing_ones_are_404(client: Any) -> None:
    customer = client.v1.customers.create({})
    for missing in ("cus_none", customer.id.swapcase()):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.customers.retrieve(missing)
        assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_a_price_needs_a_currency_an_amount_and_a_product(client: Any) -> None:
    product = client.v1.products.create({"name": "Pro"})
    for params, param in (
        ({"unit_amount": 5, "product": product.id}, "currency"),
        ({"currency": "usd", "product": product.id}, "unit_amount"),
        ({"currency": "usd", "unit_amount": 5}, "product"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.prices.create(params)
        assert (caught.value.code, caught.value.param) == ("parameter_missing", param)


def test_a_lookup_key_belongs_to_one_price_until_it_is_transferred(client: Any) -> None:
    base = {"currency": "USD", "unit_amount": 5, "product_data": {"name": "A"}, "lookup_key": "pro"}
    first = client.v1.prices.create(base)
    assert first.currency == "usd"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.prices.create(base)
    second = client.v1.prices.create({**base, "transfer_lookup_key": True})
    assert client.v1.prices.retrieve(first.id).lookup_key is None
    found = client.v1.prices.list({"lookup_keys": ["pro"], "expand": ["data.product"]}).data
    assert [(p.id, p.product.name) for p in found] == [(second.id, "A")]


def test_prices_are_filtered_and_deactivated(client: Any) -> None:
    product = client.v1.products.create({"name": "Pro"})
    base = {"currency": "usd", "unit_amount": 5, "product": product.id}
    once = client.v1.prices.create(base)
    monthly = client.v1.prices.create({**base, "recurring": {"interval": "month"}})
    client.v1.prices.update(once.id, {"active": False})

    def ids(**filters: Any) -> list[str]:
        return [p.id for p in client.v1.prices.list(filters).data]

    assert ids() == [monthly.id, once.id]
    assert ids(active=True) == [monthly.id]
    assert ids(type="one_time") == [once.id]
    assert ids(recurring={"interval": "month"}) == [monthly.id]
    assert ids(recurring={"interval": "year"}) == []
    assert ids(product="prod_none") == []


def test_a_product_with_a_price_is_not_deleted(client: Any) -> None:
    product = client.v1.products.create({"name": "Pro", "id": "pro"})
    price = client.v1.prices.create(
        {"currency": "usd", "unit_amount": 5, "product": "pro", "recurring": {"interval": "day"}}
    )
    assert client.v1.products.update("pro", {"default_price": price.id}).default_price == price.id
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.delete(product.id)
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        client.v1.products.create({"name": "Pro", "id": "pro"})
    other = client.v1.products.create({"name": "Other"})
    assert client.v1.products.delete(other.id).deleted
    assert [p.id for p in client.v1.products.list({"ids": ["pro"]}).data] == ["pro"]


def test_a_webhook_endpoint_shows_its_secret_once(client: Any) -> None:
    endpoint = client.v1.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/hook", "enabled_events": ["invoice.paid"]}
    )
    assert endpoint.secret.startswith("whsec_")
    assert "secret" not in client.v1.webhook_endpoints.retrieve(endpoint.id)
    changed = client.v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
    assert changed.status == "disabled"
    assert len(client.v1.webhook_endpoints.list().data) == 1
    assert client.v1.webhook_endpoints.delete(endpoint.id).deleted
    assert client.v1.webhook_endpoints.list().data == []


def test_test_cards_come_by_token_or_number(client: Any) -> None:
    visa = client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    assert visa.card.last4 == "4242"
    assert client.v1.payment_methods.retrieve(visa.id).card.brand == "visa"
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_methods.create(
            {"type": "card", "card": {"number": "4111", "exp_month": 1, "exp_year": 2040}}
        )
    assert caught.value.code == "incorrect_number"


def test_a_product_may_come_with_its_default_price(client: Any) -> None:
    product = client.v1.products.create(
        {
            "name": "Pro",
            "marketing_features": [{"name": "Everything"}],
            "default_price_data": {
                "currency": "usd",
                "unit_amount": 900,
                "recurring": {"interval": "year"},
            },
            "expand": ["default_price"],
        }
    )
    assert (product.default_price.unit_amount, product.default_price.product) == (900, product.id)
    assert product.marketing_features[0].name == "Everything"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.products.create({"name": "Pro", "default_price_data": {"currency": "usd"}})
    assert caught.value.param == "default_price_data[unit_amount]"
