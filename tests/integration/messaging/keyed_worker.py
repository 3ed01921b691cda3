"""A consumer process for the kill test: notes each record it has done in a file, one line each."""

from __future__ import annotations

import asyncio
import os
import sys

from billing_common.messaging.broker import make_broker, start_broker
from billing_common.messaging.dead_letters import DeadLetters
from billing_common.messaging.keyed_concurrency import KeyedConcurrencyConsumer
from billing_common.messaging.producer import DurableProducer


async def main(bootstrap_servers: str, topic: str, ledger: str) -> None:
    # One write per line: a killed process leaves whole lines.
    out = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def handle(record):
        await asyncio.sleep(0.04)
        os.write(out, b"%s %s\n" % (record.key, record.value))

    producer = DurableProducer(bootstrap_servers, client_id="worker")
    consumer = KeyedConcurrencyConsumer(
        topic=topic,
        group_id=f"{topic}.checkout",
        handle=handle,
        dead_letters=DeadLetters(producer),
        max_in_flight=8,
        max_records=20,
        session_timeout_ms=6_000,
    )
    broker = make_broker(bootstrap_servers, client_id="worker")
    consumer.attach(broker)
    await start_broker(broker)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
