"""Input that no SDK sends: it is refused with a 4xx, and what it met stands as before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from stripe_double.in_process import InProcessDouble
from stripe_double.testing import in_process_double

DEEP = 990
LONE_SURROGATE = '{"name":"\\ud800","seed":"\\ud800"}'


@pytest.fixture
def quiet() -> Iterator[InProcessDouble]:
    with in_process_double(seed="hostile", control=True) as double:
        yield double


@pytest.fixture
def caller(quiet: InProcessDouble) -> httpx.Client:
    return quiet.client(**{"content-type": "application/x-www-form-urlencoded"})


def _stands(caller: httpx.Client) -> bool:
    return (
        caller.get("/_double/health").status_code == 200
        and caller.post("/v1/customers", content="name=after").status_code == 200
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/customers", "metadata" + "[a]" * DEEP + "=1"),
        ("/v1/customers?metadata" + "[a]" * DEEP + "=1", ""),
        ("/v2/core/event_destinations", "[" * 100_000),
        ("/v2/core/event_destinations", '{"a":' * DEEP + "1" + "}" * DEEP),
        ("/v2/core/event_destinations", LONE_SURROGATE),
        ("/_double/clock/advance", "[" * 100_000),
        ("/_double/reset", LONE_SURROGATE),
    ],
)
def test_what_nests_without_end_or_is_no_text_is_refused(
    caller: httpx.Client, path: str, body: str
) -> None:
    assert caller.post(path, content=body).status_code == 400
    assert _stands(caller)


def test_credentials_outside_ascii_are_wrong_credentials(caller: httpx.Client) -> None:
    for header in (b"Basic \xe9", b"Bearer \xe9"):
        answer = caller.get("/v1/customers", headers={b"authorization": header})
        assert answer.status_code == 401


@pytest.mark.parametrize("seconds", ["Infinity", "-Infinity", "NaN", "1e300", '"9"', "null"])
def test_the_clock_moves_by_a_finite_number_only(
    quiet: InProcessDouble, caller: httpx.Client, seconds: str
) -> None:
    before = quiet.double.world.clock.now
    answer = caller.post("/_double/clock/advance", content=f'{{"seconds":{seconds}}}')
    assert answer.status_code == 400
    assert quiet.double.world.clock.now == before
    assert _stands(caller)


def test_a_transaction_that_cannot_begin_does_not_block_the_next(
    quiet: InProcessDouble, caller: httpx.Client
) -> None:
    clock = quiet.double.world.clock
    good = clock.now_exact
    clock.set_to(float("inf"))
    with pytest.raises(OverflowError), quiet.double.world.transaction():
        pass
    clock.set_to(good)
    assert _stands(caller)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/reset", {"seed": 5}),
        ("/snapshots", {"name": 5}),
        ("/portal/default", {"saved": "no"}),
        ("/seed", {"unit_amount": "x"}),
        ("/events/lag", {"seconds": "x"}),
        ("/events", {"type": 5, "object": 5}),
    ],
)
def test_the_control_plane_names_an_argument_of_the_wrong_type(
    caller: httpx.Client, path: str, values: dict[str, Any]
) -> None:
    answer = caller.post(f"/_double{path}", json=values)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] in values
    assert _stands(caller)


@pytest.mark.parametrize("query", ["after_seq=abc", "after_seq=-1", "self=1"])
def test_the_ledger_refuses_a_query_that_means_nothing(caller: httpx.Client, query: str) -> None:
    assert caller.get(f"/_double/ledger?{query}").status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "double.tunnel.example"},
        {"host": "rebound.example:12111"},
        {"host": "[::1"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"host": "127.0.0.1:12111", "origin": "http://127.0.0.1:9"},
    ],
)
def test_tunnels_and_foreign_pages_do_not_reach_the_control_plane(
    caller: httpx.Client, headers: dict[str, str]
) -> None:
    caller.post("/v1/customers", content="name=kept")
    assert caller.post("/_double/reset", headers=headers).status_code == 403
    assert caller.get("/_double/health", headers=headers).status_code == 403
    assert len(caller.get("/v1/customers").json()["data"]) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:12111", "origin": "http://127.0.0.1:12111"},
        {"host": "localhost:12111"},
        {"host": "[::1]:12111"},
    ],
)
def test_this_machine_and_its_own_pages_do(caller: httpx.Client, headers: dict[str, str]) -> None:
    assert caller.post("/_double/reset", headers=headers).status_code == 200


@pytest.mark.parametrize("url", ["http://", "https://a b", "http://[::1", "http://x:99999"])
@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/v1/checkout/sessions", "mode=setup&currency=usd&success_url={url}"),
    ],
)
def test_addresses_that_cannot_be_are_refused(
    caller: httpx.Client, url: str, path: str, rest: str
) -> None:
    answer = caller.post(path, content=rest.format(url=url))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].endswith("url")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/customers?limit=5%0A", None, "limit"),
        (
            "/v1/coupons",
            "percent_off=5&duration=repeating&duration_in_months=-1",
            "duration_in_months",
        ),
        ("/v1/coupons", "percent_off=5&duration=once&max_redemptions=0", "max_redemptions"),
        (
            "/v1/invoices",
            "customer={customer}&collection_method=send_invoice&days_until_due=-5",
            "days_until_due",
        ),
        (
            "/v1/subscriptions",
            "customer={customer}&items[0][price]={price}&collection_method=send_invoice"
            "&days_until_due=-5",
            "days_until_due",
        ),
    ],
)
def test_numbers_that_lead_nowhere_are_refused(
    caller: httpx.Client, path: str, body: str | None, param: str
) -> None:
    customer = caller.post("/v1/customers").json()["id"]
    price = caller.post(
        "/v1/prices",
        content="currency=usd&unit_amount=900&product_data[name]=x&recurring[interval]=month",
    ).json()["id"]
    given = None if body is None else body.format(customer=customer, price=price)
    answer = caller.request("GET" if body is None else "POST", path, content=given)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
