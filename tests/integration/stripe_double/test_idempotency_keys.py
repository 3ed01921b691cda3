"""Idempotency keys, each rule through the wire."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from stripe_double.testing import running_double

DAY = 24 * 3600


def keyed(key: str) -> Any:
    return {"idempotency_key": key}


def test_the_first_result_is_replayed_byte_for_byte(double: Any, raw: httpx.Client) -> None:
    first = raw.post("/v1/customers", data={"email": "a@b.c"}, headers={"idempotency-key": "k"})
    again = raw.post("/v1/customers", data={"email": "a@b.c"}, headers={"idempotency-key": "k"})
    assert again.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert [entry["outcome"] for entry in double.ledger("request")] == ["executed", "replayed"]
    assert len(double.ledger("effect", object="customer", action="created")) == 1


def test_a_replay_is_the_first_result_even_when_the_object_moved_on(shop: Any) -> None:
    params = shop.params()
    first = shop.client.v1.checkout.sessions.create(params, keyed("k"))
    shop.double.call(lambda control: control.pay(first.id))
    again = shop.client.v1.checkout.sessions.create(params, keyed("k"))
    assert (again.id, again.status) == (first.id, "open")


def test_other_parameters_or_another_path_are_refused(client: Any) -> None:
    customer = client.v1.customers.create({"email": "a@b.c"}, keyed("k"))
    with pytest.raises(stripe.IdempotencyError) as caught:
        client.v1.customers.create({"email": "other@b.c"}, keyed("k"))
    assert caught.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.update(customer.id, {"email": "a@b.c"}, keyed("k"))


def test_the_order_of_parameters_does_not_matter(raw: httpx.Client) -> None:
    headers = {"idempotency-key": "k"}
    first = raw.post("/v1/customers", content="email=a%40b.c&name=A", headers=headers)
    again = raw.post("/v1/customers", content="name=A&email=a%40b.c", headers=headers)
    assert again.json()["id"] == first.json()["id"]


def test_keys_are_case_sensitive_and_at_most_255_long(client: Any) -> None:
    ids = {client.v1.customers.create({}, keyed(key)).id for key in ("Key", "key", "k" * 255)}
    assert len(ids) == 3
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        client.v1.customers.create({}, keyed("k" * 256))


def test_refusals_before_execution_are_not_kept(double: Any, shop: Any) -> None:
    sessions = shop.client.v1.checkout.sessions
    with pytest.raises(stripe.InvalidRequestError):
        sessions.create(shop.params(mode="nonsense"), keyed("k"))
    with pytest.raises(stripe.InvalidRequestError):
        sessions.create(shop.params(customer="cus_none"), keyed("k"))
    double.call(lambda control: control.add_fault("rate_limit"))
    with pytest.raises(stripe.RateLimitError):
        sessions.create(shop.params(), keyed("k"))
    assert sessions.create(shop.params(), keyed("k")).status == "open"


def test_a_declined_card_is_kept(shop: Any) -> None:
    session = shop.session()
    path = f"/v1/payment_pages/{session.id}/confirm"
    params = {"payment_method": "pm_card_chargeDeclined"}
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            shop.client.raw_request("post", path, **params, idempotency_key="k")
        assert caught.value.http_status == 402
    assert caught.value.headers["idempotent-replayed"] == "true"
    assert len(shop.double.ledger("charge", outcome="declined")) == 1


def test_a_refusal_by_the_state_of_an_object_is_kept(double: Any, shop: Any) -> None:
    """Execution had begun: the state answered, and keeps answering the same under this key."""
    session = shop.bought()
    for number in range(2):
        with pytest.raises(stripe.InvalidRequestError, match="open") as caught:
            shop.client.v1.checkout.sessions.expire(session.id, {}, keyed("k"))
        assert ("idempotent-replayed" in caught.value.headers) is (number == 1)
    outcomes = [e["outcome"] for e in double.ledger("request", idempotency_key="k")]
    assert outcomes == ["refused", "replayed"]


def test_an_inactive_price_stays_inactive_under_its_key(shop: Any) -> None:
    sessions = shop.client.v1.checkout.sessions
    shop.client.v1.prices.update(shop.price, {"active": False})
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        sessions.create(shop.params(), keyed("k"))
    shop.client.v1.prices.update(shop.price, {"active": True})
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        sessions.create(shop.params(), keyed("k"))
    assert sessions.create(shop.params(), keyed("k2")).status == "open"


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "nonsense"},
        {"nonsense": "1"},
        {"line_items": []},
        {"customer": "cus_none"},
        {"customer_email": "a@b.c"},
        {"success_url": None},
        {"expires_at": 5},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_validation_is_never_kept(shop: Any, wrong: Any) -> None:
    sessions = shop.client.v1.checkout.sessions
    with pytest.raises(stripe.InvalidRequestError):
        sessions.create(shop.params(**wrong), keyed("k"))
    assert sessions.create(shop.params(), keyed("k")).status == "open"


def test_a_saved_500_stays(double: Any, client: Any) -> None:
    double.call(lambda control: control.add_fault("error_after"))
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            client.v1.customers.create({"email": "a@b.c"}, keyed("k"))
        assert caught.value.http_status == 500
    assert len(client.v1.customers.list().data) == 1


def test_keys_are_forgotten_after_24_hours_of_the_double_s_clock(double: Any, client: Any) -> None:
    first = client.v1.customers.create({}, keyed("k"))
    double.call(lambda control: control.advance(DAY - 60))
    assert client.v1.customers.create({}, keyed("k")).id == first.id
    double.call(lambda control: control.advance(120))
    assert client.v1.customers.create({}, keyed("k")).id != first.id


def test_only_posts_have_keys(double: Any, raw: httpx.Client) -> None:
    for _ in range(2):
        answer = raw.get("/v1/customers", headers={"idempotency-key": "k"})
        assert "idempotent-replayed" not in answer.headers
    assert {entry["idempotency_key"] for entry in double.ledger("request")} == {None}


def test_a_running_key_answers_409(double: Any, client: Any, new_client: Any) -> None:
    double.call(lambda control: control.add_fault("delay", delay_ms=400))
    done: list[str] = []
    thread = threading.Thread(
        target=lambda: done.append(client.v1.customers.create({"name": "A"}, keyed("k")).id)
    )
    thread.start()
    wait_for_running_key(double)
    other = new_client(double)
    with pytest.raises(stripe.APIError) as caught:
        other.v1.customers.create({"name": "A"}, keyed("k"))
    assert (caught.value.http_status, caught.value.error.code) == (409, "idempotency_key_in_use")
    with pytest.raises(stripe.IdempotencyError):
        other.v1.customers.create({"name": "B"}, keyed("k"))
    thread.join()
    assert other.v1.customers.create({"name": "A"}, keyed("k")).id == done[0]


def wait_for_running_key(double: Any) -> None:
    deadline = time.monotonic() + 5
    while not double.double.world.idempotency.is_running("k"):
        assert time.monotonic() < deadline
        time.sleep(0.005)


async def test_a_hundred_at_once_with_one_key_execute_once(double: Any) -> None:
    headers = {"authorization": f"Bearer {double.api_key}", "idempotency-key": "k"}
    limits = httpx.Limits(max_connections=25)
    async with httpx.AsyncClient(
        base_url=double.url, headers=headers, limits=limits, timeout=20
    ) as client:
        answers = await asyncio.gather(
            *(client.post("/v1/customers", data={"name": "A"}) for _ in range(100))
        )
    bodies = {answer.content for answer in answers if answer.status_code == 200}
    assert len(bodies) == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len(double.ledger("effect", object="customer", action="created")) == 1


def test_keys_survive_a_restart(tmp_path: Path, new_client: Any) -> None:
    with running_double(data_dir=tmp_path) as double:
        first = new_client(double).v1.customers.create({"name": "A"}, keyed("k"))
    with running_double(data_dir=tmp_path) as double:
        again = new_client(double).v1.customers.create({"name": "A"}, keyed("k"))
        assert again.id == first.id
        with pytest.raises(stripe.IdempotencyError):
            new_client(double).v1.customers.create({"name": "B"}, keyed("k"))
