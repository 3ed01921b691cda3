from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.webhook_ingest.deliveries import (
    NOW,
    OLD_SECRET,
    SECRET,
    MemoryEventLog,
    body,
    chunks_of,
    deliver,
    drip,
    endpoint,
    event,
    post,
    signature,
)

from billing_common.domain.errors import PoisonError, TransientError
from webhook_ingest.settings import BODY_BYTES_MAX


@pytest.fixture
def log() -> MemoryEventLog:
    return MemoryEventLog()


@pytest.mark.requirement("EVT-03")
async def test_a_good_delivery_is_kept_byte_for_byte_before_it_is_acknowledged(
    log: MemoryEventLog,
) -> None:
    payload = b" " + body() + b"\n"
    answer = await deliver(endpoint(log), payload)
    assert (answer.status, answer.body) == (200, b'{"ok":true}')
    [(key, value, headers)] = log.records
    assert (key, value) == (b"cus_1", payload)
    assert headers.event_id == "evt_1"
    assert headers.event_type == "customer.subscription.updated"
    assert headers.created == int(NOW.timestamp())
    assert headers.api_version == "2026-10-28.endive"
    assert headers.livemode is False
    assert headers.received_at == NOW


@pytest.mark.requirement("EVT-03")
async def test_without_an_acknowledgement_there_is_no_200(log: MemoryEventLog) -> None:
    log.failure = TransientError("the broker is away")
    answer = await deliver(endpoint(log), body())
    assert (answer.status, answer.code) == (503, "service_unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_record_that_kafka_can_never_take_is_the_senders_error(log: MemoryEventLog) -> None:
    log.failure = PoisonError("too large for the topic")
    answer = await deliver(endpoint(log), body())
    assert (answer.status, answer.code) == (400, "webhook_payload_invalid")


@pytest.mark.parametrize(
    ("subject", "key"),
    [
        ({"id": "sub_1", "object": "subscription", "customer": "cus_A"}, b"cus_A"),
        ({"id": "sub_1", "customer": {"id": "cus_B", "object": "customer"}}, b"cus_B"),
        ({"id": "cus_C", "object": "customer"}, b"cus_C"),
        ({"id": "cus_C", "object": "customer", "customer": None}, b"cus_C"),
        ({"id": "prod_1", "object": "product"}, b"prod_1"),
        ({"id": "cs_1", "object": "checkout.session", "customer": None}, b"cs_1"),
        ({"object": "invoice", "customer": "cus_D"}, b"cus_D"),  # invoice.upcoming has no id
    ],
)
async def test_events_of_one_customer_share_a_key(
    log: MemoryEventLog, subject: dict[str, Any], key: bytes
) -> None:
    answer = await deliver(endpoint(log), body(data={"object": subject}))
    assert answer.status == 200
    assert log.records[0][0] == key


@pytest.mark.requirement("EVT-01")
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"{", id="broken"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="empty object"),
        pytest.param(b"[" * 100_000, id="nested bomb"),
        pytest.param(b'{"a":' * 40_000, id="nested objects"),
        pytest.param(b"\xff\xfe" + body(), id="invalid UTF-8"),
        pytest.param(body().decode().encode("utf-16"), id="UTF-16"),
        pytest.param(body() + body(), id="two documents"),
        pytest.param(body().replace(b'"evt_1"', b"1e400"), id="infinite id"),
        pytest.param(
            body(data={"object": {"id": "a", "n": 0}}).replace(b" 0}", b" 1e400}"), id="1e400"
        ),
        pytest.param(body(created=float("nan")), id="NaN"),
        pytest.param(b'{"id":' + b"9" * 5000 + b"}", id="endless integer"),
        pytest.param(body(id="evt_\ud800"), id="lone surrogate"),
        pytest.param(body(id="evt_1\r\nx: y"), id="header injection"),
        pytest.param(body(id="evt_" + "a" * 300), id="long id"),
        pytest.param(body(id="cus_1"), id="another kind of id"),
        pytest.param(body(id=None), id="no id"),
        pytest.param(body(type=""), id="no type"),
        pytest.param(body(type="a." + "b" * 200), id="long type"),
        pytest.param(body(type=["invoice.paid"]), id="type in a list"),
        pytest.param(body(created="1"), id="created as text"),
        pytest.param(body(created=True), id="created as bool"),
        pytest.param(body(created=1.5), id="created as fraction"),
        pytest.param(body(created=0), id="created at zero"),
        pytest.param(body(created=10**30), id="created after the end"),
        pytest.param(body(livemode="false"), id="livemode as text"),
        pytest.param(body(livemode=None), id="no livemode"),
        pytest.param(body(api_version=7), id="api_version as number"),
        pytest.param(body(api_version="x" * 65), id="long api_version"),
        pytest.param(body(account=5), id="account as number"),
        pytest.param(body(data=None), id="no data"),
        pytest.param(body(data={}), id="no object"),
        pytest.param(body(data={"object": []}), id="object is a list"),
        pytest.param(body(data={"object": {}}), id="object without id"),
        pytest.param(body(data={"object": {"id": "x" * 256}}), id="long object id"),
        pytest.param(body(data={"object": {"id": "in_1", "customer": ["cus_1"]}}), id="customers"),
        pytest.param(body(data={"object": {"id": "in_1", "customer": "c s"}}), id="space"),
        pytest.param(json.dumps({"id": "evt_1", "object": "v2.core.event"}).encode(), id="thin"),
    ],
)
async def test_signed_content_that_is_no_event_is_refused_and_not_kept(
    log: MemoryEventLog, payload: bytes
) -> None:
    answer = await deliver(endpoint(log), payload)
    # A body that is not UTF-8 cannot carry a signature that Stripe's own check accepts.
    assert answer.status == 400
    assert answer.code in {"webhook_payload_invalid", "webhook_signature_invalid"}
    assert log.records == []


async def test_an_object_without_identity_is_keyed_by_its_event(log: MemoryEventLog) -> None:
    """`balance.available` and its like name neither a customer nor an id, and must not be lost."""
    payload = body(type="balance.available", data={"object": {"object": "balance"}})
    assert (await deliver(endpoint(log), payload)).status == 200
    assert [record[0] for record in log.records] == [b"evt_1"]


async def test_duplicate_keys_mean_the_last_one_everywhere(log: MemoryEventLog) -> None:
    payload = body().replace(b'{"id": "evt_1"', b'{"id": "evt_0", "id": "evt_1"', 1)
    assert (await deliver(endpoint(log), payload)).status == 200
    assert log.records[0][2].event_id == json.loads(payload)["id"] == "evt_1"


@pytest.mark.requirement("EVT-01")
async def test_missing_parts_have_their_own_codes(log: MemoryEventLog) -> None:
    app = endpoint(log)
    assert (await deliver(app, b"")).code == "webhook_body_missing"
    assert (await post(app, body())).code == "webhook_signature_missing"
    assert (await deliver(app, body(), signed="")).code == "webhook_signature_missing"
    assert log.records == []


@pytest.mark.requirement("EVT-01")
@pytest.mark.parametrize(
    "header",
    [
        "x",
        "t=,v1=",
        "v1=abc",
        "t=1",
        "t=٣,v1=00".encode().decode("latin-1"),
        "t=99999999999999999999,v1=00",
        "t=-1,v1=00",
        "t=1,t=2,v1=00",
        "t=1,v1=é",
        "t=1,v0=00",
        "," * 4000,
        "t" * 10_000,
    ],
)
async def test_hostile_signature_headers_are_400(log: MemoryEventLog, header: str) -> None:
    answer = await deliver(endpoint(log), body(), signed=header)
    assert (answer.status, answer.code) == (400, "webhook_signature_invalid")
    assert log.records == []


@pytest.mark.requirement("EVT-01")
async def test_no_single_changed_byte_is_accepted(log: MemoryEventLog) -> None:
    payload, app = body(), endpoint(log)
    signed = signature(payload)
    for position in range(len(payload)):
        changed = bytearray(payload)
        changed[position] ^= 1
        assert (await deliver(app, bytes(changed), signed=signed)).status == 400
    for position in range(len(signed)):
        changed_header = signed[:position] + chr(ord(signed[position]) ^ 1) + signed[position + 1 :]
        assert (await deliver(app, payload, signed=changed_header)).status == 400
    reserialized = json.dumps(event(), separators=(",", ":")).encode()
    assert (await deliver(app, reserialized, signed=signed)).status == 400
    assert log.records == []


@pytest.mark.requirement("EVT-01")
async def test_two_signature_headers_are_refused(log: MemoryEventLog) -> None:
    payload = body()
    headers = [(b"stripe-signature", signature(payload).encode())] * 2
    assert (await post(endpoint(log), payload, headers=headers)).code == "webhook_signature_invalid"


@pytest.mark.requirement("EVT-02")
@pytest.mark.parametrize(
    ("seconds", "status"), [(-301, 400), (-300, 200), (0, 200), (300, 200), (301, 400)]
)
async def test_the_tolerance_holds_both_ways(
    log: MemoryEventLog, seconds: int, status: int
) -> None:
    payload = body()
    signed = signature(payload, at=NOW + timedelta(seconds=seconds))
    assert (await deliver(endpoint(log), payload, signed=signed)).status == status


@pytest.mark.requirement("EVT-02")
async def test_two_secrets_are_active_during_a_rotation(log: MemoryEventLog) -> None:
    app, payload = endpoint(log, secrets=(SECRET, OLD_SECRET)), body()
    for secret in (SECRET, OLD_SECRET):
        assert (await deliver(app, payload, signed=signature(payload, secret=secret))).status == 200
    signed = signature(payload, secret="whsec_somebody_elses")
    assert (await deliver(app, payload, signed=signed)).status == 400
    assert len(log.records) == 2


@pytest.mark.requirement("EVT-02")
async def test_mode_and_account_must_be_ours(log: MemoryEventLog) -> None:
    assert (await deliver(endpoint(log), body(livemode=True))).code == "webhook_mode_mismatch"
    live = endpoint(log, livemode=True)
    assert (await deliver(live, body())).code == "webhook_mode_mismatch"
    pinned = endpoint(log, account_id="acct_ours")
    assert (await deliver(pinned, body(account="acct_theirs"))).code == "webhook_mode_mismatch"
    assert log.records == []
    assert (await deliver(pinned, body(account="acct_ours"))).status == 200
    assert (await deliver(pinned, body())).status == 200  # our own events name no account


@pytest.mark.requirement("EVT-01")
async def test_the_size_limit_is_exact_and_counts_what_is_read(log: MemoryEventLog) -> None:
    app = endpoint(log)
    largest = body()
    largest += b" " * (BODY_BYTES_MAX - len(largest))
    assert (await deliver(app, largest)).status == 200
    answer = await deliver(app, largest + b" ")
    assert (answer.status, answer.code) == (413, "payload_too_large")
    assert answer.headers["connection"] == "close"
    # Content-Length says less than what comes.
    headers = [
        (b"content-length", b"10"),
        (b"stripe-signature", signature(largest + b" ").encode()),
    ]
    assert (await post(app, largest + b" ", headers=headers)).status == 413
    assert len(log.records) == 1


@pytest.mark.requirement("EVT-01")
@pytest.mark.parametrize("announced", [b"262145", b"9" * 30])
async def test_an_announced_flood_is_refused_unread(log: MemoryEventLog, announced: bytes) -> None:
    read = 0

    async def counted() -> Any:
        nonlocal read
        async for chunk in chunks_of(b"x" * 100):
            read += 1
            yield chunk

    answer = await post(endpoint(log), counted(), headers=[(b"content-length", announced)])
    assert (answer.status, read) == (413, 0)


@pytest.mark.requirement("EVT-01")
async def test_a_slow_sender_is_let_go(log: MemoryEventLog) -> None:
    answer = await post(endpoint(log, read_timeout_seconds=0.05), drip(0.01))
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert log.records == []


async def test_other_methods_and_paths(log: MemoryEventLog) -> None:
    app = endpoint(log)
    answer = await post(app, b"", method="GET")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert (await post(app, b"", path="/webhooks/stripe/")).status == 404
    assert (await post(app, b"", path="/webhooks/paddle")).code == "not_found"


async def test_every_answer_names_its_request(log: MemoryEventLog) -> None:
    app = endpoint(log)
    echoed = await post(app, b"", headers=[(b"x-request-id", b"req-7")])
    assert echoed.headers["x-request-id"] == "req-7"
    assert json.loads(echoed.body)["error"]["request_id"] == "req-7"
    assert echoed.headers["content-type"] == "application/problem+json"
    fresh = await post(app, b"", headers=[(b"x-request-id", b"bad id\x00")])
    assert re.fullmatch(r"[0-9a-f]{32}", fresh.headers["x-request-id"])
