from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from tests.fixtures.backend import KafkaBroker
from tests.integration.webhook_ingest.endpoints import (
    Endpoint,
    body,
    every_record,
    running_endpoint,
    signature,
)

from billing_common.contracts.stripe_event_headers import StripeEventHeaders
from billing_common.messaging.topics_admin import ensure_topics
from webhook_ingest.settings import BODY_BYTES_MAX

pytestmark = pytest.mark.connected

HEAD = b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
async def endpoint(kafka_server: KafkaBroker, topic_prefix: str) -> AsyncIterator[Endpoint]:
    await ensure_topics(kafka_server.bootstrap_servers, topic_prefix)
    async with running_endpoint(kafka_server.bootstrap_servers, topic_prefix) as running:
        yield running


@pytest.mark.requirement("EVT-03")
async def test_200_means_that_the_exact_bytes_are_on_the_topic(
    endpoint: Endpoint, kafka_server: KafkaBroker, topic_prefix: str
) -> None:
    payloads = [b" " * (number % 7) + body(f"evt_{number}") + b"\n" for number in range(100)]
    answers = await asyncio.gather(*(endpoint.deliver(payload) for payload in payloads))
    assert {answer.status_code for answer in answers} == {200}
    records = await every_record(kafka_server.bootstrap_servers, topic_prefix)
    assert sorted(record.value for record in records) == sorted(payloads)
    assert {record.key for record in records} == {b"cus_1"}
    assert len({record.partition for record in records}) == 1
    headers = StripeEventHeaders.from_pairs(records[0].headers)
    assert headers.event_id.startswith("evt_")
    assert headers.event_type == "customer.subscription.updated"
    assert headers.livemode is False
    metrics = (await endpoint.client.get("/metrics")).text
    assert 'billing_webhooks_received_total{outcome="durable"} 100.0' in metrics


@pytest.mark.requirement("EVT-01")
@pytest.mark.requirement("EVT-02")
async def test_what_is_not_stripes_never_reaches_kafka_and_is_never_a_5xx(
    endpoint: Endpoint, kafka_server: KafkaBroker, topic_prefix: str
) -> None:
    good = body()
    oversized = good + b" " * (BODY_BYTES_MAX + 1 - len(good))
    bomb = b"[" * 100_000
    not_utf8 = b'{"id":"\xff\xfe"}'
    cases = {
        "wrong secret": (good, signature(good, secret="whsec_other"), 400),
        "missing header": (good, "", 400),
        "empty body": (b"", signature(b""), 400),
        "256 KiB + 1": (oversized, signature(oversized), 413),
        "invalid UTF-8": (not_utf8, signature(not_utf8), 400),
        "nested JSON bomb": (bomb, signature(bomb), 400),
        "future timestamp": (good, signature(good, offset_seconds=400), 400),
        "old timestamp": (good, signature(good, offset_seconds=-400), 400),
        "live event": (body(livemode=True), None, 400),
        "no event": (b"[]", None, 400),
        "garbled header": (good, "t=1,,,v1==", 400),
    }
    for name, (payload, header, status) in cases.items():
        answer = await endpoint.deliver(payload, signed=header)
        assert answer.status_code == status, name
        assert answer.json()["error"]["code"]
    assert await every_record(kafka_server.bootstrap_servers, topic_prefix) == []
    assert (await endpoint.deliver(good)).status_code == 200


@pytest.mark.requirement("EVT-01")
async def test_lying_and_flooding_senders_are_cut_off(endpoint: Endpoint) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    flood = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 160  # 10 MiB
    # Closed while it still sends: the reset may overtake the answer.
    assert (await endpoint.send_raw(flood))[:12] in (b"HTTP/1.1 413", b"")
    refused = 'billing_webhooks_received_total{outcome="payload_too_large"} 1.0'
    assert refused in (await endpoint.client.get("/metrics")).text
    announced = HEAD + b"Content-Length: 99999999\r\n\r\n"
    assert (await endpoint.send_raw(announced)).startswith(b"HTTP/1.1 413")
    for broken in (
        HEAD + b"Content-Length: -5\r\n\r\nx",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxx",
        b"\x00\x01\x02\r\n\r\n",
    ):
        answer = await endpoint.send_raw(broken)
        assert b" 400 " in answer.split(b"\r\n")[0]
    large_head = HEAD + b"X-Long: " + b"x" * 400_000
    assert await endpoint.send_raw(large_head) == b""
    assert (await endpoint.deliver(body())).status_code == 200


@pytest.mark.slow
@pytest.mark.requirement("EVT-01")
async def test_dripping_senders_are_closed_within_their_time(endpoint: Endpoint) -> None:
    async def drip(start: bytes) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        begun = time.monotonic()
        writer.write(start)
        closed = asyncio.ensure_future(reader.read())
        while not closed.done():
            writer.write(b"x")
            await asyncio.wait({closed}, timeout=1)
            assert time.monotonic() - begun < 15
        writer.close()
        return time.monotonic() - begun

    in_head = [drip(HEAD + b"X-Slow: ") for _ in range(20)]
    in_body = [drip(HEAD + b"Content-Length: 1000\r\n\r\n") for _ in range(20)]
    slow = asyncio.gather(*in_head, *in_body)
    healthy = [(await endpoint.deliver(body(f"evt_{number}"))).status_code for number in range(50)]
    assert set(healthy) == {200}
    assert max(await slow) < 13


@pytest.mark.slow
@pytest.mark.requirement("EVT-03")
async def test_without_kafka_it_is_503_and_every_200_is_kept_through_an_outage(
    private_kafka_server: KafkaBroker, topic_prefix: str
) -> None:
    kafka = private_kafka_server.bootstrap_servers
    await ensure_topics(kafka, topic_prefix)
    async with running_endpoint(kafka, topic_prefix) as endpoint:
        assert (await endpoint.deliver(body("evt_before"))).status_code == 200
        await asyncio.to_thread(private_kafka_server.kill)
        during = await endpoint.deliver(body("evt_during"))
        assert during.status_code == 503
        assert during.json()["error"]["code"] == "service_unavailable"
        assert int(during.headers["retry-after"]) > 0
        assert (await endpoint.client.get("/livez")).status_code == 200
        assert (await endpoint.client.get("/readyz")).status_code == 503
        await asyncio.to_thread(private_kafka_server.start)
        deadline = time.monotonic() + 60
        while (await endpoint.deliver(body("evt_during"))).status_code != 200:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
    found = {record.value for record in await every_record(kafka, topic_prefix)}
    assert any(b"evt_before" in value for value in found)
    assert any(b"evt_during" in value for value in found)


@pytest.mark.requirement("EVT-03")
async def test_a_stop_answers_what_is_under_way_and_loses_nothing(
    endpoint: Endpoint, kafka_server: KafkaBroker, topic_prefix: str
) -> None:
    payloads = {f"evt_{number}": body(f"evt_{number}") for number in range(200)}
    deliveries = [asyncio.create_task(endpoint.deliver(one)) for one in payloads.values()]
    await asyncio.wait(deliveries, return_when=asyncio.FIRST_COMPLETED)
    status = await endpoint.stop()
    answers = await asyncio.gather(*deliveries, return_exceptions=True)
    kept = {
        record.value for record in await every_record(kafka_server.bootstrap_servers, topic_prefix)
    }
    for payload, answer in zip(payloads.values(), answers, strict=True):
        if not isinstance(answer, BaseException) and answer.status_code == 200:
            assert payload in kept
    assert status == 0
