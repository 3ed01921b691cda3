from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.fixtures.databases import Database
from tests.integration.api_gateway.gateways import (
    CHECKOUT,
    CheckoutByHand,
    Product,
    bearer,
    every_row,
    running_gateway,
    settings,
    store_operation,
)

from api_gateway.decisions.checkout_requests import CheckoutRequest, fingerprint
from billing_common.contracts.commands import (
    Command,
    StartOneOffCheckout,
    StartSubscriptionCheckout,
)

pytestmark = pytest.mark.connected
# What checkout says is made up here, to see that not a byte of it is changed.
HAND_MADE = ("/api/billing/checkout",)

REQUEST = CheckoutRequest(plan_code="pro", success_path="/done", cancel_path="/plans")


def fingerprint_of(entity_id: str) -> str:
    return fingerprint(REQUEST.normalized(int(entity_id)))


@pytest.fixture
async def entity_id(product: Product) -> str:
    synced = await product.put_user("ann")
    return str(synced["billableEntityId"])


@pytest.mark.requirement("IDEM-06")
async def test_a_new_key_becomes_one_command_and_its_reply_is_the_answer(
    product: Product, checkout: CheckoutByHand, entity_id: str
) -> None:
    asked = asyncio.create_task(product.check_out("ann", headers={"X-Request-Id": "click-1"}))
    record = await checkout.next_record()
    await checkout.reply(record, body='{"a": 1 }')
    answer = await asked

    assert record.key == entity_id.encode()
    command: Command = Command.from_bytes(record.value)
    assert command.billable_entity_id == int(entity_id)
    assert (command.actor.kind, command.actor.id) == ("user", "ann")
    assert command.request_id == "click-1"
    assert command.deadline_at - command.issued_at == timedelta(seconds=5)
    payload = command.payload
    assert isinstance(payload, StartSubscriptionCheckout)
    assert payload.client_idempotency_key == "key-1"
    assert payload.request_fingerprint_hash == fingerprint_of(entity_id)
    assert payload.normalized_request == REQUEST.normalized(int(entity_id))
    assert (payload.plan_code, payload.success_path, payload.cancel_path) == (
        "pro",
        "/done",
        "/plans",
    )
    assert (answer.status_code, answer.content) == (200, b'{"a": 1 }')
    assert "idempotent-replayed" not in answer.headers
    assert answer.headers["x-request-id"] == "click-1"
    assert answer.headers["content-type"] == "application/json"

    again = asyncio.create_task(product.check_out("ann"))
    second = await checkout.next_record()
    second_command: Command = Command.from_bytes(second.value)
    await checkout.reply(second, http_status=409, body="{}", is_replay=True, retry_after_seconds=7)
    repeated = await again
    assert second_command.operation_key == command.operation_key
    assert second_command.command_id != command.command_id
    assert repeated.headers["idempotent-replayed"] == "true"
    assert repeated.headers["retry-after"] == "7"
    assert repeated.headers["content-type"] == "application/problem+json"


@pytest.mark.requirement("CHK-08")
async def test_a_single_thing_becomes_a_command_of_its_own(
    product: Product, checkout: CheckoutByHand, entity_id: str
) -> None:
    body = {
        "checkoutType": "payment",
        "oneOff": {"name": "Consulting", "amountMinor": 12_345, "currency": "USD"},
        "successPath": "/done",
        "cancelPath": "/plans",
    }

    asking = asyncio.create_task(product.check_out("ann", body=body))
    record = await checkout.next_record()
    await checkout.reply(record, http_status=200, body="{}")

    assert (await asking).status_code == 200
    payload = Command.from_bytes(record.value).payload
    assert isinstance(payload, StartOneOffCheckout)
    assert (payload.name, payload.amount_minor) == ("Consulting", 12_345)
    assert (payload.quantity, payload.currency) == (1, "usd")
    assert payload.normalized_request["checkoutType"] == "one_off"


@pytest.mark.requirement("IDEM-03")
@pytest.mark.parametrize(
    ("status", "http_status", "body"),
    [
        ("succeeded", 200, b'{ "z":1,\n"a":"\xc3\xa9"}'),
        ("failed", 404, b'{"error":{"code":"checkout_plan_not_found","details":{"x":1}}}'),
        ("expired", 409, b'{"error":{"code":"checkout_recovery_window_elapsed"}}'),
    ],
)
async def test_a_finished_key_is_replayed_byte_for_byte_without_a_command(
    product: Product,
    checkout: CheckoutByHand,
    database: Database,
    entity_id: str,
    status: str,
    http_status: int,
    body: bytes,
) -> None:
    await store_operation(
        database.engine,
        entity_id,
        request_fingerprint_hash=fingerprint_of(entity_id),
        status=status,
        response_status=http_status,
        response_body=body,
    )
    explicit = CHECKOUT | {"checkoutType": "subscription"}
    for sent in (CHECKOUT, explicit):  # stated and omitted are one request
        answer = await product.check_out("ann", body=sent)
        assert (answer.status_code, answer.content) == (http_status, body)
        assert answer.headers["idempotent-replayed"] == "true"
    assert await checkout.has_silence()


@pytest.mark.requirement("IDEM-04")
async def test_the_same_key_for_another_request_is_a_conflict(
    product: Product, checkout: CheckoutByHand, database: Database, entity_id: str
) -> None:
    await store_operation(
        database.engine, entity_id, request_fingerprint_hash=fingerprint_of(entity_id)
    )
    for change in ({"planCode": "team"}, {"successPath": "/x"}, {"cancelPath": "/x"}):
        answer = await product.check_out("ann", body=CHECKOUT | change)
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "idempotency_conflict"
    assert await checkout.has_silence()


@pytest.mark.requirement("IDEM-05")
async def test_a_leased_key_is_in_progress_and_an_ended_lease_is_commanded_again(
    product: Product, checkout: CheckoutByHand, database: Database, entity_id: str
) -> None:
    async def lease(ends_in_seconds: int, key: str) -> None:
        await store_operation(
            database.engine,
            entity_id,
            flow="one_off",  # so that two may be pending in one test
            client_idempotency_key=key,
            request_fingerprint_hash=fingerprint_of(entity_id),
            lease_owner="worker",
            pending_lease_expires_at=datetime.now(UTC) + timedelta(seconds=ends_in_seconds),
            operation_key=key.rjust(64, "0"),
        )

    await lease(20, "1")
    answer = await product.check_out("ann", key="1")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "request_in_progress")
    assert error["operation_key"] == "1".rjust(64, "0")
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    assert await checkout.has_silence()

    await lease(-1, "2")
    asked = asyncio.create_task(product.check_out("ann", key="2"))
    record = await checkout.next_record()
    command: Command = Command.from_bytes(record.value)
    assert command.operation_key == "2".rjust(64, "0")  # the stored name, whatever the secret is
    await checkout.reply(record)
    assert (await asked).status_code == 200


async def test_a_late_reply_is_202_and_the_outcome_is_at_its_address(
    product: Product, checkout: CheckoutByHand, database: Database, entity_id: str
) -> None:
    answer = await product.check_out("ann", headers={"Prefer": "wait=0"})
    record = await checkout.next_record()
    command: Command = Command.from_bytes(record.value)
    assert command.deadline_at - command.issued_at == timedelta(seconds=5)
    assert answer.status_code == 202
    location = answer.headers["location"]
    assert answer.json() == {
        "operationKey": command.operation_key,
        "status": "pending",
        "location": location,
    }
    path, receipt = location.split("?receipt=")
    assert path == f"/api/billing/operations/{command.operation_key}"

    # Nobody has begun it: its owner sees that it was accepted, nobody else sees anything.
    found = await product.get(location, "ann")
    assert (found.status_code, found.headers["retry-after"]) == (200, "1")
    shown = found.json()
    assert (shown["status"], shown["billableEntityId"]) == ("accepted", entity_id)
    assert (shown["result"], shown["error"], shown["httpStatus"]) == (None, None, None)
    await product.put_user("eve")
    same = {"x-request-id": "r"}
    foreign = await product.get(location, "eve", **same)
    nothing = await product.get(path, "eve", **same)
    assert (foreign.status_code, foreign.content) == (404, nothing.content)
    for wrong in (path, f"{path}?receipt=", f"{path}?receipt={receipt[:-1]}"):
        assert (await product.get(wrong, "ann")).status_code == 404
    other = f"/api/billing/operations/{'0' * 64}?receipt={receipt}"
    assert (await product.get(other, "ann")).status_code == 404

    waiting = asyncio.create_task(product.get(f"{location}&wait=10", "ann"))
    await store_operation(
        database.engine,
        entity_id,
        operation_key=command.operation_key,
        status="succeeded",
        response_status=200,
        response_body=b'{"ok":1}',
    )
    found = (await waiting).json()
    assert (found["status"], found["result"]) == ("succeeded", {"ok": 1})


async def test_an_outcome_stored_while_its_reply_was_lost_is_answered(
    product: Product, checkout: CheckoutByHand, database: Database, entity_id: str
) -> None:
    asked = asyncio.create_task(product.check_out("ann", headers={"Prefer": "wait=2"}))
    await checkout.next_record()
    await store_operation(
        database.engine,
        entity_id,
        status="succeeded",
        response_status=200,
        response_body=b'{"s":1}',
    )
    answer = await asked
    assert (answer.status_code, answer.content) == (200, b'{"s":1}')


async def test_a_reply_reaches_its_own_request_only(
    product: Product, checkout: CheckoutByHand, entity_id: str
) -> None:
    """Same key, different bodies, at once: the second must not hear the first one's answer."""
    first = asyncio.create_task(product.check_out("ann"))
    first_record = await checkout.next_record()
    second = asyncio.create_task(product.check_out("ann", body=CHECKOUT | {"planCode": "team"}))
    second_record = await checkout.next_record()
    await checkout.reply(second_record, http_status=409, body='{"second":1}')
    await checkout.reply(first_record, body='{"first":1}')
    assert (await first).content == b'{"first":1}'
    assert (await second).content == b'{"second":1}'


async def test_without_kafka_writes_are_503_reads_work_and_nothing_is_half_done(
    database: Database, topic_prefix: str
) -> None:
    lonely = settings(database_url=database.url, kafka="127.0.0.1:9", topic_prefix=topic_prefix)
    async with running_gateway(lonely) as client:
        product = Product(client)
        await product.put_user("ann")
        before = await every_row(database.engine)
        answer = await product.check_out("ann")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "service_unavailable"
        assert int(answer.headers["retry-after"]) > 0
        assert await every_row(database.engine) == before
        assert (await product.get("/api/billing/subscription", "ann")).status_code == 200
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["database"]) == (503, True)
        assert (await client.get("/livez")).status_code == 200


@pytest.mark.requirement("IDEM-01")
async def test_a_write_without_a_usable_key_never_becomes_a_command(
    product: Product, checkout: CheckoutByHand, entity_id: str
) -> None:
    cases = {
        None: "required",
        "": "required",
        "  ": "required",
        "x" * 192: "invalid",
        "\x01": "invalid",
    }
    for key, word in cases.items():
        answer = await product.check_out("ann", key=key)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == f"idempotency_key_{word}"
    assert await checkout.has_silence()


BAD_BODIES: list[tuple[dict[str, Any], str]] = [
    ({"priceId": "price_1"}, "priceId"),
    ({"providerPriceId": "price_1"}, "providerPriceId"),
    ({"billableEntityId": "1"}, "billableEntityId"),
    ({"customer": "cus_1"}, "customer"),
    ({"\ud800": 1}, "body"),
    ({"planCode": 5}, "planCode"),
    ({"planCode": ""}, "planCode"),
    ({"planCode": "a b"}, "planCode"),
    ({"planCode": "x" * 121}, "planCode"),
    ({"successPath": "https://evil.example/"}, "successPath"),
    ({"successPath": "//evil.example"}, "successPath"),
    ({"cancelPath": "/%2f%2fevil.example"}, "cancelPath"),
    ({"cancelPath": None}, "cancelPath"),
    ({"checkoutType": "one_off", "oneOff": {"name": "x", "amountMinor": 1}}, "planCode"),
    ({"oneOff": {"name": "x", "amountMinor": 0}}, "oneOff.amountMinor"),
    ({"oneOff": {"name": " ", "amountMinor": 1}}, "oneOff.name"),
    ({"oneOff": {"name": "x", "amountMinor": 1, "quantity": 10_001}}, "oneOff.quantity"),
    ({"checkoutType": "gift"}, "checkoutType"),
]


@pytest.mark.requirement("AUTH-05")
@pytest.mark.requirement("CHK-11")
async def test_a_bad_body_names_its_field_and_never_becomes_a_command(
    product: Product, checkout: CheckoutByHand, entity_id: str
) -> None:
    for change, field in BAD_BODIES:
        answer = await product.check_out("ann", body=CHECKOUT | change)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, "validation_failed"), change
        assert list(error["field_errors"]) == [field]
    assert await checkout.has_silence()


async def test_a_body_that_is_no_object_is_400(product: Product, entity_id: str) -> None:
    for content in [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 50_000,
        b'{"planCode":' * 3000,
        b'"' + b"a" * 60_000,
    ]:
        answer = await product.client.post(
            "/api/billing/checkout",
            content=content,
            headers=bearer("ann") | {"Idempotency-Key": "k", "Content-Type": "application/json"},
        )
        assert answer.status_code == 400, content[:20]
        assert answer.json()["error"]["code"] == "validation_failed"
