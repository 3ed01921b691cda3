"""Every object and event the double makes has the fields that Stripe's specification requires."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

REQUIRED: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "required_fields.json").read_text("utf-8")
)["objects"]
GONE = {
    "subscription": {"current_period_start", "current_period_end", "discount", "plan"},
    "invoice": {"subscription", "payment_intent", "charge", "paid", "subscription_details", "tax"},
    "payment_intent": {"invoice"},
    "charge": {"invoice"},
    "line_item": {"price", "plan", "proration", "subscription_item", "type"},
}


def violations(node: Any, path: str = "") -> Iterator[str]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from violations(item, f"{path}[{index}]")
    if not isinstance(node, dict):
        return
    kind = node.get("object")
    if isinstance(kind, str) and kind in REQUIRED and not node.get("deleted"):
        yield from missing(REQUIRED[kind], node, f"{path}<{kind}>")
        for name in GONE.get(kind, set()) & node.keys():
            yield f"{path}<{kind}>.{name} is gone since basil"
    for name, child in node.items():
        if name != "previous_attributes":
            yield from violations(child, f"{path}.{name}")


def missing(wanted: dict[str, Any], node: dict[str, Any], path: str) -> Iterator[str]:
    for name, example in wanted.items():
        if name not in node:
            yield f"{path}.{name} is missing"
        elif example is not None and node[name] is None:
            yield f"{path}.{name} is null"
        elif isinstance(example, dict) and isinstance(node[name], dict) and name != "payment":
            yield from missing(example, node[name], f"{path}.{name}")
        elif example is not None and type(example) is not type(node[name]):
            yield f"{path}.{name} is a {type(node[name]).__name__}"


@pytest.fixture
def world(shop: Any) -> Any:
    """Something of everything."""
    bought = shop.bought(metadata={"a": "b"})
    shop.bought(subscription_data={"trial_period_days": 3})
    shop.session()
    shop.client.v1.checkout.sessions.expire(shop.session().id)
    line = {
        "price_data": {"currency": "jpy", "unit_amount": 700, "product_data": {"name": "Book"}},
        "quantity": 2,
    }
    shop.bought(mode="payment", line_items=[line], customer=None, customer_email="x@example.com")
    shop.double.call(
        lambda control: control.renew(bought.subscription, decline_code="generic_decline")
    )
    shop.client.v1.subscriptions.update(bought.subscription, {"cancel_at_period_end": True})
    shop.client.v1.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/", "enabled_events": ["account.updated"]}
    )
    return shop


@pytest.mark.parametrize(
    "path",
    [
        "/v1/customers",
        "/v1/products",
        "/v1/prices",
        "/v1/checkout/sessions?expand[]=data.line_items&expand[]=data.subscription",
        "/v1/subscriptions?status=all",
        "/v1/invoices?expand[]=data.payments",
        "/v1/invoice_payments",
        "/v1/payment_intents?expand[]=data.latest_charge",
        "/v1/charges",
        "/v1/payment_methods",
        "/v1/webhook_endpoints",
        "/v1/events",
    ],
)
def test_every_object_has_what_the_specification_requires(
    world: Any, raw: httpx.Client, path: str
) -> None:
    joiner = "&" if "?" in path else "?"
    answer = raw.get(f"{path}{joiner}limit=100").json()
    assert answer["data"], path
    assert list(violations(answer)) == []
    for listed in answer["data"]:
        one = raw.get(f"{path.partition('?')[0]}/{listed['id']}").json()
        assert list(violations(one)) == []


def test_the_check_itself_finds_faults() -> None:
    broken = {"id": "in_1", "object": "invoice", "paid": True, "lines": None}
    found = list(violations(broken))
    assert "<invoice>.paid is gone since basil" in found
    assert "<invoice>.lines is null" in found
    assert "<invoice>.status is missing" in found
