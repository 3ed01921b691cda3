"""Payment links: fixed before they are made, kept, payable once, and withdrawn."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.integration.checkout.desk import OPERATION_SECRET, Desk, code_of

from billing_common.contracts.commands import CreatePaymentLink, DeactivatePaymentLink
from billing_common.contracts.replies import Reply
from billing_common.domain.operation_keys import operation_key
from billing_common.storage.products import publish_product
from billing_common.storage.tables import billing_payment_links as links

pytestmark = pytest.mark.connected

CREATE = "payment_links.create"
WITHDRAW = "payment_links.update"
AD_HOC = {
    "kind": "ad_hoc",
    "name": "Consulting",
    "amount_minor": 12_345,
    "currency": "usd",
    "quantity": 2,
}


async def create(desk: Desk, client_key: str, **facts: Any) -> Reply:
    wanted = {"items": [AD_HOC], "success_path": "/thanks", **facts}
    return await desk.handle(desk.write(client_key, "payment_link", CreatePaymentLink, **wanted))


async def withdraw(desk: Desk, client_key: str, link_key: str) -> Reply:
    return await desk.handle(
        desk.write(
            client_key,
            "payment_link_deactivation",
            DeactivatePaymentLink,
            payment_link_operation_key=link_key,
        )
    )


async def visit(url: str) -> int:
    """As a browser; the status that it ends at."""
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        return (await browser.get(url)).status_code


async def sell(desk: Desk, code: str, *, unit_amount_minor: int = 5000) -> str:
    """A product with a one-time price at Stripe; the price's id."""
    async with httpx.AsyncClient(base_url=desk.double.url, trust_env=False) as stripe:
        answer = await stripe.post(
            "/v1/prices",
            data={
                "currency": "usd",
                "unit_amount": str(unit_amount_minor),
                "product_data[name]": "Onboarding",
            },
            auth=(desk.double.api_key, ""),
        )
    price: dict[str, Any] = answer.json()
    async with desk.test_database.engine.begin() as connection:
        await publish_product(
            connection,
            code=code,
            name="Onboarding",
            description=None,
            provider="stripe",
            provider_price_id=price["id"],
            provider_product_id=price["product"],
            currency="usd",
            unit_amount_minor=unit_amount_minor,
            now=datetime.now(UTC),
        )
    price_id: str = price["id"]
    return price_id


def at_stripe(desk: Desk) -> list[dict[str, Any]]:
    return desk.double.call(lambda control: control.objects("payment_link"))


@pytest.mark.requirement("CHK-10")
async def test_a_link_is_kept_before_its_address_leaves(desk: Desk) -> None:
    price_id = await sell(desk, "onboarding")
    product = {"kind": "product", "product_code": "onboarding", "quantity": 3}

    reply = await create(desk, "link-1", items=[product, AD_HOC])

    (link,) = at_stripe(desk)
    operation = await desk.operation("link-1")
    row = await desk.row(links)
    assert json.loads(reply.body) == {
        "billableEntityId": str(desk.entity_id),
        "operationKey": operation.operation_key,
        "paymentLink": {"url": link["url"], "active": True},
    }
    assert (row.status, row.provider_payment_link_id, row.url) == (
        "active",
        link["id"],
        link["url"],
    )
    assert (row.operation_key, row.idempotency_row_id) == (
        operation.operation_key,
        operation.id,
    )
    (sent,) = desk.requests(CREATE)
    assert sent["idempotency_key"] == operation.provider_idempotency_key
    assert [line.get("price") for line in sent["params"]["line_items"]] == [price_id, None]
    assert link["restrictions"]["completed_sessions"]["limit"] == 1
    assert link["metadata"]["operation_key"] == operation.operation_key
    assert link["after_completion"]["redirect"]["url"] == "https://app.example.com/thanks"
    assert desk.stripe_customers() == [], "whoever pays is not the entity's customer"


@pytest.mark.requirement("CHK-10")
async def test_a_link_is_paid_once_and_closes(desk: Desk) -> None:
    url = json.loads((await create(desk, "link-1")).body)["paymentLink"]["url"]

    assert await visit(url) == 200
    (session,) = desk.stripe_sessions()
    assert session["amount_total"] == 2 * 12_345
    desk.double.call(lambda control: control.pay(session["id"], email="payer@example.com"))

    (link,) = at_stripe(desk)
    assert link["active"] is False
    assert len(desk.double.ledger("charge", outcome="succeeded")) == 1
    assert await visit(url) != 200
    (paid,) = desk.stripe_sessions()
    assert paid["invoice"], "a payment comes with an invoice"


@pytest.mark.requirement("CHK-10")
@pytest.mark.parametrize(
    ("items", "code"),
    [
        (
            [{"kind": "product", "product_code": "nothing", "quantity": 1}],
            "payment_link_product_not_found",
        ),
        (
            [{"kind": "product", "product_code": "pro", "quantity": 1}],  # a plan recurs
            "payment_link_product_not_found",
        ),
        ([AD_HOC | {"currency": "eur"}], "checkout_configuration_invalid"),
    ],
)
async def test_what_is_not_sold_is_refused_and_remembered(
    desk: Desk, items: list[dict[str, Any]], code: str
) -> None:
    refused = await create(desk, "link-1", items=items)

    assert code_of(refused) == code
    assert at_stripe(desk) == []
    assert (await desk.operation("link-1")).failure_code == code
    again = await create(desk, "link-1", items=items)
    assert (again.body, again.is_replay) == (refused.body, True)


@pytest.mark.requirement("CHK-10")
@pytest.mark.requirement("IDEM-11")
@pytest.mark.parametrize(
    "fault", ["drop_before", "drop_after", "truncate", "error_before", "error_after"]
)
async def test_a_link_whose_answer_was_lost_is_made_once(desk: Desk, fault: str) -> None:
    desk.fault(fault, CREATE)
    assert code_of(await create(desk, "link-1")) == "request_in_progress"
    row = await desk.end_lease("link-1")

    recovered = await desk.handle(desk.recover(row))
    for _ in range(3):
        if recovered.http_status == 200:
            break
        row = await desk.end_lease("link-1")
        recovered = await desk.handle(desk.recover(row))

    assert recovered.http_status == 200
    (stored,) = await desk.rows(links)
    url = json.loads(recovered.body)["paymentLink"]["url"]
    assert stored.url == url
    others = [one for one in at_stripe(desk) if one["id"] != stored.provider_payment_link_id]
    # After a stored 5xx the next key made a second link: nobody has the address of the first.
    assert len(others) == int(fault == "error_after")
    assert (await create(desk, "link-1")).body == recovered.body


@pytest.mark.requirement("CHK-10")
async def test_ad_hoc_prices_are_made_with_the_link_or_not_at_all(desk: Desk) -> None:
    before = len(desk.double.call(lambda control: control.objects("price")))
    desk.fault("drop_after", CREATE)
    await create(desk, "link-1")
    row = await desk.end_lease("link-1")
    await desk.handle(desk.recover(row))

    assert len(desk.double.call(lambda control: control.objects("price"))) == before + 1
    assert desk.requests("prices.create") == []


@pytest.mark.requirement("CHK-10")
async def test_a_link_is_withdrawn_by_the_operation_that_made_it(desk: Desk) -> None:
    made = json.loads((await create(desk, "link-1")).body)

    reply = await withdraw(desk, "gone-1", made["operationKey"])
    again = await withdraw(desk, "gone-1", made["operationKey"])
    twice = await withdraw(desk, "gone-2", made["operationKey"])

    assert json.loads(reply.body)["paymentLink"] == {
        "url": made["paymentLink"]["url"],
        "active": False,
    }
    assert (again.body, again.is_replay) == (reply.body, True)
    assert twice.http_status == 200
    (link,) = at_stripe(desk)
    assert link["active"] is False
    row = await desk.row(links)
    assert (row.status, row.deactivated_at is not None) == ("inactive", True)


@pytest.mark.requirement("CHK-10")
async def test_nobody_withdraws_the_link_of_another_entity(desk: Desk) -> None:
    made = json.loads((await create(desk, "link-1")).body)
    desk.entity_id = await desk.add_entity()

    refused = await withdraw(desk, "gone-1", made["operationKey"])
    unknown = await withdraw(
        desk,
        "gone-2",
        operation_key(
            OPERATION_SECRET,
            action="payment_link",
            billable_entity_id=desk.entity_id,
            client_idempotency_key="never",
        ),
    )

    assert code_of(refused) == code_of(unknown) == "payment_link_not_found"
    (link,) = at_stripe(desk)
    assert link["active"] is True
    assert desk.requests(WITHDRAW) == []


@pytest.mark.requirement("CHK-10")
async def test_a_link_that_was_paid_stays_a_paid_one(desk: Desk) -> None:
    made = json.loads((await create(desk, "link-1")).body)
    await desk.set(links, (await desk.row(links)).id, status="completed")

    assert (await withdraw(desk, "gone-1", made["operationKey"])).http_status == 200

    assert (await desk.row(links)).status == "completed"


@pytest.mark.requirement("CHK-10")
@pytest.mark.requirement("IDEM-18")
async def test_a_link_that_is_being_made_is_withdrawn_by_the_same_key_later(desk: Desk) -> None:
    desk.fault("drop_after", CREATE)
    await create(desk, "link-1")
    link_key = (await desk.operation("link-1")).operation_key

    early = await withdraw(desk, "gone-1", link_key)
    assert code_of(early) == "request_in_progress"
    await desk.handle(desk.recover(await desk.end_lease("link-1")))
    late = await withdraw(desk, "gone-1", link_key)

    assert late.http_status == 200
    (link,) = at_stripe(desk)
    assert link["active"] is False
