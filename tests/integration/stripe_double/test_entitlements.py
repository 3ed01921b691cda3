"""Entitlements: features of products, what subscriptions grant, and the summary event."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

SUMMARY = "entitlements.active_entitlement_summary.updated"
DAY = 24 * 3600


def feature(shop: Any, key: str) -> Any:
    return shop.client.v1.entitlements.features.create({"lookup_key": key, "name": key.title()})


def attach(shop: Any, product: str, made: Any) -> Any:
    return shop.client.v1.products.features.create(product, {"entitlement_feature": made.id})


def product_of(shop: Any) -> str:
    return str(shop.client.v1.prices.retrieve(shop.price).product)


def keys(shop: Any, customer: str = "") -> list[str]:
    found = shop.client.v1.entitlements.active_entitlements.list(
        {"customer": customer or shop.customer, "limit": 100}
    )
    return [entitlement.lookup_key for entitlement in found.data]


def summaries(shop: Any) -> list[Any]:
    return list(shop.client.v1.events.list({"type": SUMMARY, "limit": 100}).data)


def test_features_have_one_key_each_and_can_be_archived(shop: Any) -> None:
    features = shop.client.v1.entitlements.features
    made = feature(shop, "api")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        feature(shop, "api")
    assert caught.value.param == "lookup_key"
    features.update(made.id, {"name": "API access", "metadata": {"a": "b"}})
    assert features.retrieve(made.id).name == "API access"
    assert [f.id for f in features.list({"lookup_key": "api"}).data] == [made.id]
    features.update(made.id, {"active": False})
    assert features.list({"archived": False}).data == []
    assert [f.id for f in features.list({"archived": True}).data] == [made.id]
    with pytest.raises(stripe.InvalidRequestError, match="archived"):
        attach(shop, product_of(shop), made)


def test_products_have_features(shop: Any) -> None:
    product, first, second = product_of(shop), feature(shop, "api"), feature(shop, "sso")
    one, two = attach(shop, product, first), attach(shop, product, second)
    features = shop.client.v1.products.features
    assert [f.id for f in features.list(product).data] == [two.id, one.id]
    assert features.retrieve(product, one.id).entitlement_feature.lookup_key == "api"
    with pytest.raises(stripe.InvalidRequestError, match="already"):
        attach(shop, product, first)
    assert features.delete(product, one.id).deleted
    assert [f.id for f in features.list(product).data] == [two.id]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        features.retrieve(product, one.id)
    assert caught.value.http_status == 404


def test_a_subscription_grants_its_product_s_features_and_its_end_revokes_them(shop: Any) -> None:
    for key in ("api", "sso"):
        attach(shop, product_of(shop), feature(shop, key))
    bought = shop.bought()
    assert keys(shop) == ["sso", "api"]
    (event,) = summaries(shop)
    summary = event.data.object
    assert (summary.object, summary.customer) == (
        "entitlements.active_entitlement_summary",
        shop.customer,
    )
    assert [e.lookup_key for e in summary.entitlements.data] == ["sso", "api"]
    assert event.data.previous_attributes.entitlements.data == []
    one = summary.entitlements.data[0]
    expanded = shop.client.v1.entitlements.active_entitlements.retrieve(
        one.id, {"expand": ["feature"]}
    )
    assert expanded.feature.name == "Sso"
    shop.client.v1.subscriptions.cancel(bought.subscription)
    assert keys(shop) == []
    (ended, _) = summaries(shop)
    assert ended.data.object.entitlements.data == []
    assert ended.request.id is not None


def test_two_subscriptions_share_an_entitlement(shop: Any) -> None:
    attach(shop, product_of(shop), feature(shop, "api"))
    first, second = shop.bought(), shop.bought()
    assert keys(shop) == ["api"]
    assert len(summaries(shop)) == 1
    shop.client.v1.subscriptions.cancel(first.subscription)
    assert keys(shop) == ["api"]
    assert len(summaries(shop)) == 1
    shop.client.v1.subscriptions.cancel(second.subscription)
    assert keys(shop) == []


def test_a_feature_added_later_counts_from_the_next_period(shop: Any) -> None:
    bought = shop.bought()
    attach(shop, product_of(shop), feature(shop, "api"))
    shop.client.v1.subscriptions.update(bought.subscription, {"metadata": {"seen": "yes"}})
    assert keys(shop) == []
    shop.double.call(lambda control: control.advance(32 * DAY))
    assert keys(shop) == ["api"]
    assert summaries(shop)[0].request.id is None


def test_the_summary_carries_only_a_page(shop: Any) -> None:
    for number in range(12):
        attach(shop, product_of(shop), feature(shop, f"f{number}"))
    shop.bought()
    (event,) = summaries(shop)
    entitlements = event.data.object.entitlements
    assert (len(entitlements.data), entitlements.has_more) == (10, True)
    assert len(keys(shop)) == 12


def test_a_refused_renewal_keeps_access_and_switching_the_product_changes_it(shop: Any) -> None:
    attach(shop, product_of(shop), feature(shop, "api"))
    bought = shop.bought()
    shop.double.call(
        lambda control: control.renew(bought.subscription, decline_code="generic_decline")
    )
    assert keys(shop) == ["api"]
    other = shop.client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 500,
            "product_data": {"name": "Basic"},
            "recurring": {"interval": "month"},
        }
    )
    attach(shop, other.product, feature(shop, "basic"))
    item = shop.client.v1.subscriptions.retrieve(bought.subscription)["items"].data[0]
    shop.client.v1.subscriptions.update(
        bought.subscription,
        {"items": [{"id": item.id, "price": other.id}], "proration_behavior": "none"},
    )
    assert keys(shop) == ["basic"]


def test_the_customer_must_be_named(shop: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.client.v1.entitlements.active_entitlements.list({})
    assert (caught.value.http_status, caught.value.param) == (400, "customer")
