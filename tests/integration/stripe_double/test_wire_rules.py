"""Authentication, versions, headers, error shapes, parameters, lists and expansion on the wire."""

from __future__ import annotations

import base64
import socket
import time
from typing import Any

import httpx
import pytest
import stripe


@pytest.mark.parametrize(
    "header",
    ["", "Bearer sk_test_wrong_00000000", "Bearer sk_live_00000000", "Basic !!!", "Digest x"],
)
def test_only_the_configured_test_key_is_let_in(double: Any, header: str) -> None:
    headers = {"authorization": header} if header else {}
    answer = httpx.get(f"{double.url}/v1/customers", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert "sk_live_0" not in answer.text


def test_basic_authentication_works(double: Any) -> None:
    token = base64.b64encode(f"{double.api_key}:".encode()).decode()
    headers = {"authorization": f"Basic {token}"}
    assert httpx.get(f"{double.url}/v1/customers", headers=headers).status_code == 200


def test_the_sdk_sees_an_authentication_error(double: Any, new_client: Any) -> None:
    client = new_client(double, api_key="sk_test_wrong_00000000")
    with pytest.raises(stripe.AuthenticationError):
        client.v1.customers.list()


@pytest.mark.parametrize(
    "version", ["2025-02-24.acacia", "2024-06-20", "2027-01-01.fuchsia", "2026-10-28.preview", "x"]
)
def test_other_api_versions_are_refused(double: Any, new_client: Any, version: str) -> None:
    client = new_client(double, stripe_version=version)
    with pytest.raises(stripe.InvalidRequestError, match="version") as caught:
        client.v1.customers.create({})
    assert caught.value.http_status == 400
    assert double.ledger("effect") == []


def test_connected_accounts_are_refused_loudly(client: Any) -> None:
    with pytest.raises(stripe.APIError) as caught:
        client.v1.customers.list({}, {"stripe_account": "acct_1"})
    assert caught.value.http_status == 501


def test_every_answer_names_request_and_version(raw: httpx.Client) -> None:
    good = raw.post("/v1/customers", headers={"idempotency-key": "abc"})
    bad = raw.get("/v1/customers/cus_none")
    for answer in (good, bad):
        assert answer.headers["request-id"].startswith("req_")
        assert answer.headers["stripe-version"] == "2026-10-28.endive"
    assert good.headers["idempotency-key"] == "abc"
    assert bad.json()["error"]["doc_url"].endswith("resource-missing")


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ("foo=1", 400, "parameter_unknown", "foo"),
        ("address[planet]=x", 400, "parameter_unknown", "address[planet]"),
        ("next_invoice_sequence=5", 501, "not_modelled_by_stripe_double", "next_invoice_sequence"),
        ("invoice_settings[footer]=x", 501, "not_modelled_by_stripe_double", None),
        ("tax_exempt=maybe", 400, None, "tax_exempt"),
        ("metadata[k]=" + "v" * 501, 400, None, "metadata[k]"),
        ("email[a]=1", 400, None, "email"),
        ("email=a&email[b]=1", 400, None, "email[b]"),
        ("address=1", 400, None, "address"),
    ],
)
def test_parameters_are_known_modelled_or_refused(
    raw: httpx.Client, body: str, status: int, code: str | None, param: str | None
) -> None:
    answer = raw.post(
        "/v1/customers",
        content=body,
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    error = answer.json()["error"]
    assert (answer.status_code, error.get("code")) == (status, code)
    if param is not None:
        assert error["param"] == param


@pytest.mark.parametrize("body", [b"\xff\xfe=1", b"a[=1", b"%ff=%ff", b"[]=1"])
def test_malformed_bodies_are_400(raw: httpx.Client, body: bytes) -> None:
    assert raw.post("/v1/customers", content=body).status_code == 400


def test_operations_are_known_modelled_or_refused(raw: httpx.Client) -> None:
    assert raw.get("/v1/nonsense").status_code == 404
    assert raw.get("/v1/customers/search?query=x").status_code == 501
    unmodelled = raw.post("/v1/topups")
    assert unmodelled.status_code == 501
    assert unmodelled.headers["stripe-should-retry"] == "false"
    assert raw.delete("/v1/checkout/sessions/cs_1").status_code == 404


def test_a_loud_refusal_is_not_retried(double: Any, new_client: Any) -> None:
    client = new_client(double, max_network_retries=2)
    with pytest.raises(stripe.APIError):
        client.v1.topups.create({"amount": 100, "currency": "usd"})
    assert len(double.ledger("request")) == 1


def test_lists_are_newest_first_and_paged_both_ways(client: Any) -> None:
    ids = [client.v1.customers.create({}).id for _ in range(5)][::-1]

    def page(**params: Any) -> tuple[list[str], bool]:
        found = client.v1.customers.list(params)
        return [c.id for c in found.data], found.has_more

    assert page() == (ids, False)
    assert page(limit=2) == (ids[:2], True)
    assert page(limit=2, starting_after=ids[1]) == (ids[2:4], True)
    assert page(limit=2, starting_after=ids[2]) == (ids[3:], False)
    assert page(limit=2, ending_before=ids[4]) == (ids[2:4], True)
    assert page(limit=2, ending_before=ids[2]) == (ids[:2], False)
    assert [c.id for c in client.v1.customers.list({"limit": 2}).auto_paging_iter()] == ids
    for bad in ({"limit": 0}, {"limit": 101}, {"starting_after": "cus_none"}):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.customers.list(bad)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.list({"starting_after": ids[0], "ending_before": ids[1]})


def test_lists_are_filtered_by_the_second_of_creation(double: Any, client: Any) -> None:
    old = client.v1.customers.create({})
    double.call(lambda control: control.advance(100))
    new = client.v1.customers.create({})

    def ids(created: Any) -> list[str]:
        return [c.id for c in client.v1.customers.list({"created": created}).data]

    assert ids(old.created) == [old.id]
    assert ids({"gt": old.created}) == [new.id]
    assert ids({"gte": old.created, "lt": new.created}) == [old.id]
    assert ids({"lte": new.created}) == [new.id, old.id]


def test_expansion_is_deep_and_says_what_it_cannot(shop: Any) -> None:
    bought = shop.bought()
    session = shop.client.v1.checkout.sessions.retrieve(
        bought.id,
        {"expand": ["line_items", "customer", "subscription.latest_invoice.payments"]},
    )
    assert session.line_items.data[0].price.id == shop.price
    assert session.customer.id == shop.customer
    assert session.subscription.latest_invoice.payments.data[0].status == "paid"
    assert "line_items" not in bought
    listed = shop.client.v1.checkout.sessions.list({"expand": ["data.line_items"]}).data[0]
    assert listed.line_items.data[0].quantity == 1
    for bad in (["id"], ["nothing"], ["subscription.a.b.c.d"], ["metadata"]):
        with pytest.raises(stripe.InvalidRequestError):
            shop.client.v1.checkout.sessions.retrieve(bought.id, {"expand": bad})


def test_a_request_cut_off_on_its_way_is_never_executed(double: Any) -> None:
    """As from a process that is killed while it writes: half a create must not become a create."""
    host, port = double.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as caller:
        caller.sendall(
            b"POST /v1/customers HTTP/1.1\r\nhost: stripe\r\n"
            b"authorization: Bearer " + double.api_key.encode() + b"\r\n"
            b"content-type: application/x-www-form-urlencoded\r\ncontent-length: 40\r\n\r\n"
        )
        caller.sendall(b"name=half")
    assert httpx.get(f"{double.url}/livez").status_code == 200
    time.sleep(0.2)
    assert double.ledger("request") == []
    assert double.ledger("effect") == []
