"""webhook-ingest as a process of its own, and what Kafka really holds."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from billing_common.contracts.topics import STRIPE_EVENTS, TopicNames

SECRET = "whsec_integration"
PATH = "/webhooks/stripe"


def body(event_id: str = "evt_1", **changes: Any) -> bytes:
    event = {
        "id": event_id,
        "type": "customer.subscription.updated",
        "created": int(datetime.now(UTC).timestamp()),
        "livemode": False,
        "api_version": "2026-10-28.endive",
        "data": {"object": {"id": "sub_1", "object": "subscription", "customer": "cus_1"}},
    } | changes
    return json.dumps(event).encode()


def signature(payload: bytes, *, secret: str = SECRET, offset_seconds: int = 0) -> str:
    seconds = int(datetime.now(UTC).timestamp()) + offset_seconds
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + payload, hashlib.sha256)
    return f"t={seconds},v1={digest.hexdigest()}"


@dataclass
class Endpoint:
    process: asyncio.subprocess.Process
    port: int
    client: httpx.AsyncClient

    async def deliver(self, payload: bytes, *, signed: str | None = None) -> httpx.Response:
        header = signature(payload) if signed is None else signed
        return await self.client.post(PATH, content=payload, headers={"Stripe-Signature": header})

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 30)

    async def send_raw(self, sent: bytes) -> bytes:
        """Everything the server says until it closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            with suppress(ConnectionError):
                writer.write(sent)
                await writer.drain()
            with suppress(ConnectionError):
                return await asyncio.wait_for(reader.read(), 20)
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def running_endpoint(kafka: str, topic_prefix: str) -> AsyncIterator[Endpoint]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "webhook_ingest",
        env={
            "PATH": os.environ["PATH"],
            "BILLING_ENVIRONMENT": "test",
            "HTTP_PORT": str(port),
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "KAFKA_TOPIC_PREFIX": topic_prefix,
            "BILLING_STRIPE_WEBHOOK_SECRETS": SECRET,
            "BILLING_STRIPE_LIVEMODE": "false",
        },
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False
    ) as client:
        try:
            await _until_live(client)
            yield Endpoint(process, port, client)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _until_live(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while True:
            with suppress(httpx.TransportError):
                if (await client.get("/livez")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


async def every_record(kafka: str, topic_prefix: str) -> list[ConsumerRecord[bytes, bytes]]:
    """The whole topic as it stands."""
    name = TopicNames(topic_prefix).of(STRIPE_EVENTS)
    places = [TopicPartition(name, number) for number in range(STRIPE_EVENTS.partitions)]
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: list[ConsumerRecord[bytes, bytes]] = []
        async with asyncio.timeout(30):
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
        return found
