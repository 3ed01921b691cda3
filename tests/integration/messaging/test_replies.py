from __future__ import annotations

import asyncio
import json

import pytest
from tests.integration.messaging.conftest import create_topic

from billing_common.messaging.replies import ReplyInbox

pytestmark = pytest.mark.connected


@pytest.fixture
async def reply_topic(kafka_server, topic_prefix):
    return await create_topic(kafka_server.bootstrap_servers, f"{topic_prefix}replies")


async def _listening(kafka_server, topic, partition, **settings):
    inbox = ReplyInbox(
        kafka_server.bootstrap_servers,
        topic=topic,
        partition=partition,
        client_id="test",
        **settings,
    )
    assert await inbox.start()
    assert inbox.is_listening
    return inbox


async def test_a_reply_reaches_everyone_who_expects_it_and_nobody_else(
    kafka_server, producer, reply_topic
):
    inbox = await _listening(kafka_server, reply_topic, 2)
    try:
        with (
            inbox.expect("op-1") as first,
            inbox.expect("op-1") as second,
            inbox.expect("op-2") as other,
        ):
            for key in (b"unknown", b"\xff\xfe", b"op-1"):
                await producer.send(
                    reply_topic, key=key, value=b"answer", partition=2, timeout_seconds=10
                )
            # On another replica's partition: not for us.
            await producer.send(
                reply_topic, key=b"op-2", value=b"x", partition=1, timeout_seconds=10
            )
            found = await asyncio.gather(
                first.received(timeout_seconds=5), second.received(timeout_seconds=5)
            )
            assert [record.value for record in found] == [b"answer", b"answer"]
            assert await other.received(timeout_seconds=0.2) is None
        assert inbox._waiting == {}
    finally:
        await inbox.stop()
    assert not inbox.is_listening


async def test_what_was_answered_before_the_start_is_not_heard(kafka_server, producer, reply_topic):
    await producer.send(reply_topic, key=b"op", value=b"old", partition=0, timeout_seconds=10)
    inbox = await _listening(kafka_server, reply_topic, 0)
    try:
        with inbox.expect("op") as expected:
            await producer.send(
                reply_topic, key=b"op", value=b"new", partition=0, timeout_seconds=10
            )
            assert (await expected.received(timeout_seconds=5)).value == b"new"
    finally:
        await inbox.stop()


async def test_replies_can_be_told_apart_by_their_content(kafka_server, producer, reply_topic):
    inbox = await _listening(
        kafka_server,
        reply_topic,
        0,
        correlate=lambda record: json.loads(record.value)["command_id"],
    )
    try:
        with inbox.expect("c2") as expected:
            for value in (b"not json", b'{"command_id": "c1"}', b'{"command_id": "c2"}'):
                await producer.send(
                    reply_topic, key=b"op", value=value, partition=0, timeout_seconds=10
                )
            assert json.loads((await expected.received(timeout_seconds=5)).value) == {
                "command_id": "c2"
            }
    finally:
        await inbox.stop()


async def test_without_a_broker_it_starts_deaf_and_says_so():
    inbox = ReplyInbox("127.0.0.1:1", topic="t", partition=0, client_id="test")
    assert await inbox.start(timeout_seconds=0.3) is False
    assert not inbox.is_listening
    assert inbox.has_live_task
    await inbox.stop()
