"""The control plane over HTTP, and who may use it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from stripe_double.double import StripeDouble
from stripe_double.settings import Settings
from stripe_double.testing import TEST_API_KEY


@pytest.fixture
def control(double: Any) -> Any:
    with httpx.Client(base_url=f"{double.url}/_double", trust_env=False) as client:
        yield client


def test_health_tells_clock_seed_and_version(control: httpx.Client) -> None:
    health = control.get("/health").json()
    assert (health["status"], health["seed"]) == ("ok", "shared")
    assert health["api_version"] == "2026-10-28.endive"
    moved = control.post("/clock/advance", json={"seconds": 500}).json()["now"]
    assert moved >= health["clock"]["now"] + 500
    assert control.post("/clock/advance", json={"seconds": -1}).status_code == 400


def test_a_purchase_is_played_by_hand(control: httpx.Client, shop: Any) -> None:
    first, second, third = (shop.session().id for _ in range(3))
    declined = control.post(f"/sessions/{first}/decline").json()
    assert declined["decline_code"] == "generic_decline"
    paid = control.post(f"/sessions/{first}/pay").json()
    assert paid["status"] == "complete"
    assert control.post(f"/sessions/{first}/pay").status_code == 400
    refused = control.post(f"/sessions/{second}/pay", json={"card": "4000000000000002"})
    assert refused.status_code == 402
    assert control.post(f"/sessions/{third}/abandon").json()["status"] == "expired"
    failed = control.post(
        f"/subscriptions/{paid['subscription']}/renew", json={"decline_code": "generic_decline"}
    ).json()
    assert failed["status"] == "open"
    assert control.post(f"/invoices/{failed['id']}/pay").json()["status"] == "paid"
    assert control.post(f"/invoices/{failed['id']}/pay").status_code == 400
    cancelled = control.post(f"/subscriptions/{paid['subscription']}/cancel").json()
    assert cancelled["status"] == "canceled"
    assert control.post("/subscriptions/sub_none/cancel").status_code == 404


def test_the_ledger_is_read_by_kind_fact_and_position(control: httpx.Client, shop: Any) -> None:
    shop.bought()
    entries = control.get("/ledger").json()["entries"]
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    (charge,) = control.get("/ledger?kind=charge&outcome=succeeded").json()["entries"]
    rest = control.get(f"/ledger?after_seq={charge['seq']}").json()["entries"]
    assert rest == entries[charge["seq"] :]


def test_faults_are_listed_and_cleared(control: httpx.Client) -> None:
    control.post("/faults", json={"kind": "rate_limit", "times": 3})
    control.post("/webhooks/hold")
    state = control.get("/faults").json()
    assert (state["api"][0]["times"], state["webhooks"]["hold"]) == (3, True)
    assert control.delete("/faults").json() == {"ok": True}
    control.post("/webhooks/release")
    state = control.get("/faults").json()
    assert (state["api"], state["webhooks"]["hold"]) == ([], False)
    assert control.post("/webhooks/faults", json={"gremlin": 1}).status_code == 400
    assert control.post("/webhooks/faults", json={"hold": 1}).status_code == 400


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"nonsense": 1}'])
def test_wrong_bodies_are_refused(control: httpx.Client, body: bytes) -> None:
    assert control.post("/clock/advance", content=body).status_code == 400


def test_seed_and_reset(control: httpx.Client, client: Any) -> None:
    made = control.post("/seed", json={"unit_amount": 900}).json()
    assert client.v1.prices.retrieve(made["price"]["id"]).unit_amount == 900
    control.post("/reset", json={"seed": "other"})
    assert client.v1.prices.list().data == []
    assert control.get("/health").json()["seed"] == "other"
    assert control.get("/ledger?kind=effect").json()["entries"] == []


def test_the_page_shows_the_world_and_its_buttons_work(control: httpx.Client, shop: Any) -> None:
    session = shop.session()
    page = control.get("/")
    assert session.id in page.text
    done = control.post("/forms/pay", data={"id": session.id})
    assert done.status_code == 303
    assert shop.client.v1.checkout.sessions.retrieve(session.id).status == "complete"
    subscription = shop.client.v1.subscriptions.list().data[0].id
    for action in ("renew", "miss", "cancel", "nonsense"):
        assert control.post(f"/forms/{action}", data={"id": subscription}).status_code == 303
    assert control.post("/forms/advance", data={"value": "60"}).status_code == 303
    assert control.post("/forms/advance", data={"value": "soon"}).status_code == 303
    assert "subscription_cycle" in control.get("/").text


async def test_it_serves_this_machine_only(settings_without_socket: Settings) -> None:
    double = StripeDouble(settings_without_socket)
    transport = httpx.ASGITransport(app=double.asgi_app, client=("192.0.2.7", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://double") as client:
        assert (await client.get("/_double/health")).status_code == 403
        assert (await client.post("/_double/reset")).status_code == 403
        assert (await client.get("/_double/")).status_code == 403
        assert (await client.post("/_double/forms/advance")).status_code == 403


async def test_it_is_off_unless_enabled() -> None:
    double = StripeDouble(Settings(api_keys=[TEST_API_KEY]))
    transport = httpx.ASGITransport(app=double.asgi_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://double") as client:
        assert (await client.get("/_double/health")).status_code == 404
        assert (await client.get("/livez")).text == "ok"


@pytest.fixture
def settings_without_socket() -> Settings:
    return Settings(api_keys=[TEST_API_KEY], control=True)
