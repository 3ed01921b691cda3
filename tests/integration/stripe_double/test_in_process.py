"""The double without sockets: the official SDK, pages, webhooks and faults in one thread."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from stripe_double.double import StripeDouble
from stripe_double.in_process import InProcessTransport
from stripe_double.settings import Settings
from stripe_double.testing import TEST_API_KEY, InProcessDouble, in_process_double


@pytest.fixture
def received() -> list[httpx.Request]:
    return []


@pytest.fixture
def inside(received: list[httpx.Request]) -> Iterator[InProcessDouble]:
    def take(request: httpx.Request) -> httpx.Response:
        received.append(request)
        return httpx.Response(200)

    with in_process_double(
        take, seed="s", control=True, webhook_url="http://shop.test/", webhook_secrets="whsec_a"
    ) as double:
        yield double


@pytest.fixture
def client(inside: InProcessDouble) -> stripe.StripeClient:
    stripe.enable_telemetry = False
    http_client = inside.http_client(stripe.HTTPXClient(allow_sync_methods=True))
    return stripe.StripeClient(inside.api_key, http_client=http_client)


def test_a_purchase_and_its_webhooks(
    inside: InProcessDouble, client: Any, received: list[httpx.Request]
) -> None:
    price = inside.control.seed_catalog()["price"]["id"]
    session = client.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "line_items": [{"price": price, "quantity": 1}],
            "success_url": "http://shop.test/ok",
            "customer_email": "a@b.c",
        }
    )
    with inside.client() as buyer:
        assert "a@b.c" in buyer.get(session.url).text
        assert buyer.post(f"{session.url}/pay").status_code == 303
        assert buyer.get("/_double/health").json()["seed"] == "s"
    assert received == []
    inside.settle()
    events = [
        stripe.Webhook.construct_event(r.content, r.headers["stripe-signature"], "whsec_a")
        for r in received
    ]
    assert {"checkout.session.completed", "invoice.paid"} <= {event.type for event in events}
    inside.control.advance(32 * 86_400)
    inside.settle()
    assert len(inside.ledger("charge", outcome="succeeded")) == 2


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("timeout_before", None),
        ("timeout_after", None),
        ("late_arrival", None),
        ("reset", None),
        ("truncate", None),
        ("drop_after", None),
        ("error_before", 500),
        ("rate_limit", 429),
        ("slow_drip", 200),
    ],
)
def test_faults_need_no_network(
    inside: InProcessDouble, client: Any, kind: str, status: int | None
) -> None:
    inside.control.add_fault(kind)
    if status == 200:
        client.v1.customers.create({"name": "A"})
        return
    with pytest.raises(stripe.StripeError) as caught:
        client.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert caught.value.http_status == status
    assert isinstance(caught.value, stripe.APIConnectionError) is (status is None)
    assert client.v1.customers.create({"name": "A"}, {"idempotency_key": "k"}).name == "A"
    inside.settle()
    assert len(inside.ledger("effect", object="customer", action="created")) == 1


def test_a_request_arrives_when_its_time_has_come(inside: InProcessDouble, client: Any) -> None:
    inside.control.add_fault("late_arrival", delay_seconds=3600)
    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.create({"name": "late"})
    inside.control.advance(3599)
    inside.settle()
    assert inside.ledger("request") == []
    inside.control.advance(1)
    inside.settle()
    (entry,) = inside.ledger("request", outcome="executed")
    assert entry["fault"] == "late_arrival"


def test_a_webhook_can_go_before_the_answer(
    inside: InProcessDouble, client: Any, received: list[httpx.Request]
) -> None:
    inside.control.add_webhook_fault("before_reply")
    customer = client.v1.customers.create({})
    assert [json.loads(r.content)["data"]["object"]["id"] for r in received] == [customer.id]


async def test_the_transport_serves_any_event_loop() -> None:
    double = StripeDouble(Settings(api_keys=[TEST_API_KEY]))
    headers = {"authorization": f"Bearer {TEST_API_KEY}"}
    async with (
        double.running(),
        httpx.AsyncClient(transport=InProcessTransport(double), base_url="http://x") as client,
    ):
        assert (await client.get("/livez")).text == "ok"
        made = await client.post("/v1/customers", data={"name": "A"}, headers=headers)
        double.control.add_fault("timeout_after")
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/v1/customers", headers=headers)
        assert made.json()["name"] == "A"
    double.close()


def test_another_kind_of_client_is_refused(inside: InProcessDouble) -> None:
    with pytest.raises(TypeError, match="HTTPXClient"):
        inside.http_client(stripe.RequestsClient())
