"""One click, one session: what is stored, what Stripe was sent, what the client gets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.checkout.desk import (
    CREATE_SESSION,
    PUBLIC_URL,
    Desk,
    code_of,
    operations,
    sessions,
    unchanged,
)

from billing_common.domain.canonical_json import sha256_hex

pytestmark = pytest.mark.connected


@pytest.mark.requirement("CHK-01")
@pytest.mark.requirement("IDEM-15")
async def test_a_checkout_ends_bound_and_payable(desk: Desk) -> None:
    reply = await desk.checkout("click-1")

    assert reply.http_status == 200
    assert not reply.is_replay
    body = json.loads(reply.body)
    session = await desk.row(sessions)
    (at_stripe,) = desk.stripe_sessions()
    assert body == {
        "billableEntityId": str(desk.entity_id),
        "operationKey": session.operation_key,
        "checkoutType": "subscription",
        "checkoutSession": {
            "status": "open",
            "checkoutUrl": at_stripe["url"],
            "expiresAt": body["checkoutSession"]["expiresAt"],
        },
    }
    operation = await desk.operation("click-1")
    assert operation.status == "succeeded"
    assert operation.response_status == 200
    assert operation.response_body == reply.body.encode()
    assert operation.provider_session_id == at_stripe["id"]
    assert operation.lease_owner is None
    assert operation.pending_lease_expires_at is None
    assert operation.actor_user_id == "usr_1"
    assert session.status == "open"
    assert session.provider_checkout_session_id == at_stripe["id"]
    assert session.idempotency_row_id == operation.id
    assert session.checkout_url == at_stripe["url"]
    assert session.last_provider_event_created_at is None, "only events set a watermark"


@pytest.mark.requirement("CHK-06")
@pytest.mark.requirement("CHK-07")
@pytest.mark.requirement("IDEM-07")
@pytest.mark.requirement("IDEM-08")
@pytest.mark.requirement("IDEM-09")
async def test_stripe_is_sent_exactly_what_was_frozen(desk: Desk) -> None:
    await desk.checkout("click-1")

    operation = await desk.operation("click-1")
    (customer,) = desk.stripe_customers()
    (at_stripe,) = desk.stripe_sessions()
    frozen = json.loads(operation.provider_request_params)
    metadata = {
        "operation_key": operation.operation_key,
        "billable_entity_id": str(desk.entity_id),
        "idempotency_row_id": str(operation.id),
    }
    assert frozen == {
        "mode": "subscription",
        "customer": customer["id"],
        "client_reference_id": str(desk.entity_id),
        "line_items": [{"price": desk.price_id, "quantity": 1}],
        "success_url": f"{PUBLIC_URL}/billing/done",
        "cancel_url": f"{PUBLIC_URL}/billing",
        "expires_at": frozen["expires_at"],
        "metadata": metadata,
        "subscription_data": {"metadata": metadata},
    }
    assert operation.provider_request_hash == sha256_hex(operation.provider_request_params)
    assert operation.provider_request_schema_version == "stripe_checkout_session_create_params_v1"
    assert operation.provider_sdk_name == "stripe-python"
    assert operation.provider_api_version == "2026-10-28.endive"
    bound = operation.provider_checkout_session_expires_at_upper_bound
    assert datetime.fromtimestamp(frozen["expires_at"], UTC) == bound
    assert at_stripe["expires_at"] == frozen["expires_at"]
    lifetime = bound - operation.provider_request_frozen_at
    assert timedelta(minutes=30) < lifetime < timedelta(hours=24) - timedelta(minutes=5)
    assert operation.provider_idempotency_replay_deadline_at == min(
        operation.provider_request_frozen_at + timedelta(hours=23), bound - timedelta(minutes=35)
    )
    (request,) = desk.requests(CREATE_SESSION)
    assert request["idempotency_key"] == operation.provider_idempotency_key
    assert at_stripe["metadata"] == metadata
    session_id = at_stripe["id"]
    desk.pay(session_id)
    (subscription,) = desk.double.call(lambda control: control.objects("subscription"))
    assert subscription["metadata"] == metadata


@pytest.mark.requirement("IDEM-02")
@pytest.mark.requirement("IDEM-03")
async def test_the_same_key_is_answered_with_the_same_bytes(desk: Desk) -> None:
    first = await desk.checkout("click-1")
    before = await desk.operation("click-1")

    again = await desk.checkout("click-1")

    assert again.is_replay
    assert (again.http_status, again.body) == (first.http_status, first.body)
    assert unchanged(before, await desk.operation("click-1"))
    assert len(desk.stripe_sessions()) == 1
    assert len(desk.requests(CREATE_SESSION)) == 1


@pytest.mark.requirement("IDEM-04")
async def test_the_same_key_with_another_request_is_a_conflict(desk: Desk) -> None:
    first = await desk.checkout("click-1")

    other = await desk.checkout("click-1", success_path="/elsewhere")

    assert other.http_status == 409
    assert code_of(other) == "idempotency_conflict"
    assert "checkoutUrl" not in other.body, "another request must not learn the answer"
    assert (await desk.checkout("click-1")).body == first.body
    assert len(await desk.rows(operations)) == 1


@pytest.mark.requirement("IDEM-02")
async def test_two_entities_may_use_the_same_key(desk: Desk) -> None:
    other_entity_id = await desk.add_entity()

    mine = await desk.checkout("click-1")
    theirs = await desk.checkout("click-1", entity_id=other_entity_id)

    assert mine.http_status == theirs.http_status == 200
    assert mine.body != theirs.body
    assert len(desk.stripe_sessions()) == len(desk.stripe_customers()) == 2


@pytest.mark.requirement("IDEM-01")
@pytest.mark.parametrize("key", ["x' for key 'y'", "for key 'uq'\"\\%", "~" * 191, " ", "%s"])
async def test_a_hostile_key_is_only_a_key(desk: Desk, key: str) -> None:
    """The engine quotes it in its duplicate-key message; nothing may be read from there."""
    first = await desk.checkout(key)

    again = await desk.checkout(key)

    assert first.http_status == 200
    assert (again.is_replay, again.body) == (True, first.body)
