"""How we subscribe, and what FastStream may see of a record."""

from __future__ import annotations

from types import SimpleNamespace

from aiokafka.structs import ConsumerRecord
from faststream import AckPolicy

from billing_common.messaging.broker import make_broker, safe_parser
from billing_common.messaging.ordered_batches import OrderedBatchConsumer


def _raw(offset, headers):
    return ConsumerRecord("t", 0, offset, 0, 0, b"k", b"\xff", None, 1, 1, headers)


async def test_the_parser_hides_unreadable_headers_and_keeps_the_record():
    bad = (("null", None), ("bytes", b"\xff\xfe"), ("text", b"yes"))
    raw = (_raw(0, ()), _raw(1, bad))

    async def original(shown):
        # What FastStream's own parser does with every header: it must not raise.
        return SimpleNamespace(
            headers=[{n: v.decode() for n, v in r.headers} for r in shown], raw_message=shown
        )

    message = await safe_parser(raw, original)
    assert message.headers == [{}, {"text": "yes"}]
    assert message.raw_message is raw
    assert message.raw_message[1].headers == bad


async def test_the_subscription_states_its_group_and_commits_nothing_by_itself():
    async def load(_numbers):
        return {}

    async def process(_batch):
        return None

    broker = make_broker("127.0.0.1:1", client_id="test")
    consumer = OrderedBatchConsumer(
        topic="t", group_id="service.purpose", load_offsets=load, process=process
    )
    consumer.attach(broker)
    [subscriber] = broker.subscribers
    assert subscriber.group_id == "service.purpose"
    assert subscriber.ack_policy is AckPolicy.MANUAL
    assert subscriber._no_reply is True
    assert subscriber._connection_args["enable_auto_commit"] is False
