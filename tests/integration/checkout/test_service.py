"""The whole service on a real broker: commands in, replies to the partition that asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy.engine import make_url
from tests.fixtures.backend import KafkaBroker
from tests.fixtures.fault_proxy import FaultProxy
from tests.integration.checkout.desk import PUBLIC_URL, Desk, code_of, operations

from billing_common.contracts.commands import REPLY_PARTITION_HEADER, Command
from billing_common.contracts.replies import Reply
from billing_common.contracts.topics import COMMANDS, REPLIES, TopicNames
from billing_common.messaging.producer import DurableProducer
from billing_common.settings import STRIPE_API_VERSION
from checkout.app import make_app
from checkout.handlers.customer import ensure_customer
from checkout.settings import CheckoutSettings
from checkout.subscribers import GROUP

pytestmark = pytest.mark.connected

MY_PARTITION = 3


@dataclass
class Client:
    """What api-gateway does, as far as checkout can tell."""

    desk: Desk
    prefix: str
    bootstrap_servers: str
    producer: DurableProducer
    proxy: FaultProxy

    async def send(self, command: Command, *, reply_to: bytes | None = b"3") -> None:
        await self.send_raw(
            str(command.billable_entity_id).encode(), command.to_bytes(), reply_to=reply_to
        )

    async def send_raw(self, key: bytes, value: bytes, *, reply_to: bytes | None = None) -> None:
        await self.producer.send(
            self.prefix + COMMANDS.name,
            key=key,
            value=value,
            headers=() if reply_to is None else ((REPLY_PARTITION_HEADER, reply_to),),
            timeout_seconds=10,
        )

    async def records(self, topic: str) -> list[Any]:
        """Every record of the topic as it stands now."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers, group_id=None, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            numbers = sorted(
                consumer.partitions_for_topic(topic) or await _numbers(consumer, topic)
            )
            places = [TopicPartition(topic, number) for number in numbers]
            consumer.assign(places)
            due = sum((await consumer.end_offsets(places)).values())
            found: list[Any] = []
            while len(found) < due:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found.extend(records)
            return found
        finally:
            await consumer.stop()

    async def place_of(self, command: Command) -> Any:
        """The record of a command that was sent once."""
        records = await self.records(self.prefix + COMMANDS.name)
        (found,) = [one for one in records if one.value == command.to_bytes()]
        return found

    async def committed(self, record: Any) -> int:
        """What the service has committed of the record's partition."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers,
            group_id=TopicNames(self.prefix).group(GROUP),
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            return await consumer.committed(TopicPartition(record.topic, record.partition)) or 0
        finally:
            await consumer.stop()

    async def replies(self) -> list[Any]:
        return await self.records(self.prefix + REPLIES.name)

    async def dead_letters(self) -> list[Any]:
        return await self.records(self.prefix + COMMANDS.name + ".dlt")


async def _numbers(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client._wait_on_metadata(topic)
    return set(consumer.partitions_for_topic(topic) or ())


async def until(condition: Callable[[], Awaitable[Any]], *, timeout_seconds: float = 30.0) -> Any:
    """The first true answer, polling with a deadline."""
    async with asyncio.timeout(timeout_seconds):
        while not (answer := await condition()):  # noqa: ASYNC110 - no event of ours
            await asyncio.sleep(0.05)
        return answer


@pytest.fixture
async def client(
    desk: Desk, kafka_server: KafkaBroker, prefixed_topics: str
) -> AsyncIterator[Client]:
    """The service runs; its database is behind a proxy."""
    direct = make_url(desk.test_database.url)
    async with FaultProxy(direct.port or 3306) as proxy:
        url = direct.set(host="127.0.0.1", port=proxy.port)
        settings = CheckoutSettings.model_validate(
            {
                "environment": "test",
                "http_port": 1,
                "database_url": url.render_as_string(hide_password=False),
                "kafka_bootstrap_servers": kafka_server.bootstrap_servers,
                "kafka_topic_prefix": prefixed_topics,
                "stripe_secret_key": desk.double.api_key,
                "stripe_api_version": STRIPE_API_VERSION,
                "stripe_base_url": desk.double.url,
                "operation_key_secret": "o" * 32,
                "provider_idempotency_key_secret": "p" * 32,
                "currency": "usd",
                "public_url": PUBLIC_URL,
            }
        )
        app = make_app(settings)
        producer = DurableProducer(kafka_server.bootstrap_servers, client_id="gateway")
        async with app.router.lifespan_context(app):
            yield Client(desk, prefixed_topics, kafka_server.bootstrap_servers, producer, proxy)
        await producer.stop()


async def test_a_command_is_answered_on_the_partition_that_asked(client: Client) -> None:
    command = client.desk.start("click-1")

    await client.send(command)

    (record,) = await until(client.replies)
    reply = Reply.from_bytes(record.value)
    assert record.partition == MY_PARTITION
    assert record.key == command.operation_key.encode()
    assert reply.command_id == command.command_id
    assert reply.http_status == 200
    stored = await client.desk.operation("click-1")
    assert reply.body.encode() == stored.response_body
    assert "checkoutUrl" in json.loads(reply.body)["checkoutSession"]


async def test_nobody_waits_nobody_is_answered(client: Client) -> None:
    for place in (None, b"not a number", b"99"):
        await client.send(client.desk.start(f"to {place!r}"), reply_to=place)
    await client.send(client.desk.start("the last"))

    (record,) = await until(client.replies)
    assert Reply.from_bytes(record.value).http_status == 409
    assert len(await client.desk.rows(operations)) == 1
    assert await client.dead_letters() == []


@pytest.mark.requirement("SCOPE-12")
async def test_a_malformed_command_is_kept_and_the_next_one_served(client: Client) -> None:
    good = client.desk.start("click-1")
    key = str(good.billable_entity_id).encode()
    await client.send_raw(key, b"\xff\xfe not json")
    await client.send_raw(key, b'{"schema_version": 2}')
    await client.send_raw(b"999", good.to_bytes())
    await client.send(client.desk.start("unknown entity", entity_id=987_654))
    await client.send(client.desk.start("outside", success_path="//evil.example"))
    await client.send(good)

    (record,) = await until(client.replies)

    assert Reply.from_bytes(record.value).http_status == 200
    letters = await until(lambda: _at_least(client.dead_letters, 5))
    reasons = [dict(letter.headers)["dead-letter-reason"] for letter in letters]
    assert sorted(reasons) == [
        b"billable_entity_unknown",
        b"command_malformed",
        b"command_malformed",
        b"command_malformed",
        b"return_path_invalid",
    ]
    assert b"\xff\xfe not json" in [letter.value for letter in letters]
    assert len(await client.desk.rows(operations)) == 1


async def _at_least(read: Callable[[], Awaitable[list[Any]]], count: int) -> list[Any]:
    found = await read()
    return found if len(found) >= count else []


async def _has_grown(proxy: FaultProxy, attempts: int) -> bool:
    return proxy.connections_made > attempts + 1


async def test_a_database_outage_delays_commands_and_keeps_their_order(client: Client) -> None:
    client.proxy.refuse()
    client.proxy.cut()
    first, second = client.desk.start("click-1"), client.desk.start("click-2")
    await client.send(first)
    await client.send(second)
    attempts = client.proxy.connections_made
    await until(lambda: _has_grown(client.proxy, attempts))
    client.proxy.restore()

    records = await until(lambda: _at_least(client.replies, 2))

    replies = {reply.command_id: reply for reply in (Reply.from_bytes(r.value) for r in records)}
    assert replies[first.command_id].http_status == 200
    assert code_of(replies[second.command_id]) in {"checkout_in_progress", "checkout_session_open"}
    assert await client.dead_letters() == []
    assert len(client.desk.stripe_sessions()) == 1


@pytest.mark.requirement("IDEM-05")
@pytest.mark.requirement("CHK-13")
async def test_a_slow_stripe_call_delays_only_its_own_answer(client: Client) -> None:
    """While the first click is at Stripe, the entity's other clicks hear so at once, another
    entity buys, and no offset behind the unfinished command is committed."""
    desk = client.desk
    other_entity_id = await desk.add_entity()
    for entity_id in (desk.entity_id, other_entity_id):  # their customers exist already
        await ensure_customer(
            desk.context,
            billable_entity_id=entity_id,
            until=datetime.now(UTC) + timedelta(seconds=25),
        )
    desk.fault("delay_after", delay_ms=4000, match={"client_reference_id": str(desk.entity_id)})
    slow, same, second = (desk.start(key) for key in ("click-1", "click-1", "click-2"))
    elsewhere = desk.start("click-1", entity_id=other_entity_id)

    for command in (slow, same, second, elsewhere):
        await client.send(command)

    records = await until(lambda: _at_least(client.replies, 3))
    replies = {reply.command_id: reply for reply in (Reply.from_bytes(r.value) for r in records)}
    assert slow.command_id not in replies, "the slow one is still under way"
    assert code_of(replies[same.command_id]) == "request_in_progress"
    assert code_of(replies[second.command_id]) == "checkout_in_progress"
    assert replies[elsewhere.command_id].http_status == 200
    place = await client.place_of(slow)
    assert await client.committed(place) <= place.offset
    records = await until(lambda: _at_least(client.replies, 4))
    replies = {reply.command_id: reply for reply in (Reply.from_bytes(r.value) for r in records)}
    assert replies[slow.command_id].http_status == 200
    await until(lambda: _is_past(client, place))


async def _is_past(client: Client, place: Any) -> bool:
    return await client.committed(place) > place.offset
