"""A gateway in this process on real servers, the product that calls it, and a checkout by hand."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.integration.api_gateway.described_answers import AnswerWatch, ApiDocument

from api_gateway.app import Gateway, utc_now
from api_gateway.settings import GatewaySettings
from billing_common.contracts.commands import Command
from billing_common.contracts.replies import Reply
from billing_common.contracts.topics import COMMANDS, REPLIES, TopicNames
from billing_common.storage.tables import billing_request_idempotency, metadata

JWT_SECRET = "a shared secret that is long enough for tests"
ISSUER = "https://login.example"
AUDIENCE = "billing"
SERVICE_TOKEN = "service-token"
CHECKOUT = {"planCode": "pro", "successPath": "/done", "cancelPath": "/plans"}


def settings(
    *,
    database_url: str,
    kafka: str,
    topic_prefix: str,
    reply_wait_seconds: float = 5,
    **changes: Any,
) -> GatewaySettings:
    return GatewaySettings.model_validate(
        {
            "BILLING_ENVIRONMENT": "test",
            "HTTP_PORT": 1,
            "BILLING_DATABASE_URL": database_url,
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "KAFKA_TOPIC_PREFIX": topic_prefix,
            "BILLING_OPERATION_KEY_SECRET": "o" * 40,
            "BILLING_CURRENCY": "usd",
            "BILLING_JWT_ISSUER": ISSUER,
            "BILLING_JWT_AUDIENCE": AUDIENCE,
            "BILLING_JWT_SHARED_SECRET": JWT_SECRET,
            "BILLING_SERVICE_TOKEN_SHA256S": hashlib.sha256(SERVICE_TOKEN.encode()).hexdigest(),
            "GATEWAY_REPLY_WAIT_SECONDS": reply_wait_seconds,
            "GATEWAY_INSTANCE_ID": "gateway-1",
        }
        | changes
    )


@asynccontextmanager
async def running_gateway(
    wanted: GatewaySettings,
    *,
    clock: Callable[[], datetime] = utc_now,
    hand_made: Collection[str] = (),
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a started gateway, through ASGI: no port, no second process.

    Every answer is compared with the OpenAPI document, except those of the `hand_made` paths,
    whose bodies a test makes up.
    """
    gateway = Gateway(wanted, clock=clock)
    watch = AnswerWatch(ApiDocument(gateway.api.openapi()))
    watch.hand_made.update(hand_made)
    async with (
        gateway.api.router.lifespan_context(gateway.api),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=gateway.app, raise_app_exceptions=False),
            base_url="http://gateway",
            event_hooks={"response": [watch.look]},
        ) as client,
    ):
        yield client
    assert watch.faults == []


def bearer(subject: str, *, minutes: int = 5) -> dict[str, str]:
    claims = {
        "sub": subject,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": datetime.now(UTC) + timedelta(minutes=minutes),
    }
    return {"Authorization": f"Bearer {jwt.encode(claims, JWT_SECRET, algorithm='HS256')}"}


SERVICE = {"Authorization": f"Bearer {SERVICE_TOKEN}"}


class Product:
    """The product that syncs its directory and whose frontend calls."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def put_user(self, external_id: str, **changes: Any) -> dict[str, Any]:
        body = {"displayName": external_id, "status": "active", "version": 1} | changes
        answer = await self.client.put(
            f"/internal/v1/users/{external_id}", json=body, headers=SERVICE
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def put_workspace(
        self, external_id: str, *, owner: str, **changes: Any
    ) -> dict[str, Any]:
        body = {
            "slug": external_id,
            "name": external_id,
            "ownerExternalId": owner,
            "status": "active",
            "version": 1,
            "members": [{"userExternalId": owner, "role": "owner"}],
        } | changes
        answer = await self.client.put(
            f"/internal/v1/workspaces/{external_id}", json=body, headers=SERVICE
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, path: str, subject: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=bearer(subject) | headers)

    async def check_out(
        self,
        subject: str,
        *,
        key: str | None = "key-1",
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        sent = bearer(subject) | {"Content-Type": "application/json"}
        if key is not None:
            sent["Idempotency-Key"] = key
        return await self.client.post(
            "/api/billing/checkout",
            content=json.dumps(CHECKOUT if body is None else body),
            headers=sent | (headers or {}),
        )


@dataclass
class CheckoutByHand:
    """Reads the commands that are on the topic, and replies when told to."""

    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer
    names: TopicNames

    async def next_record(self, *, timeout_seconds: float = 10) -> ConsumerRecord[bytes, bytes]:
        return await asyncio.wait_for(self.consumer.getone(), timeout_seconds)

    async def has_silence(self) -> bool:
        """Nothing more is on the topic, up to its end as of now."""
        ends = await self.consumer.end_offsets(list(self.consumer.assignment()))
        positions = {place: await self.consumer.position(place) for place in ends}
        return positions == ends

    async def reply(self, record: ConsumerRecord[bytes, bytes], **changes: Any) -> None:
        command: Command = Command.from_bytes(record.value)
        fields = {
            "command_id": command.command_id,
            "operation_key": command.operation_key,
            "billable_entity_id": command.billable_entity_id,
            "http_status": 200,
            "body": json.dumps({"operationKey": command.operation_key}),
        } | changes
        headers = dict(record.headers)
        await self.producer.send_and_wait(
            self.names.of(REPLIES),
            Reply.model_validate(fields).to_bytes(),
            key=command.operation_key.encode(),
            partition=int(headers["reply-partition"]),
        )


@asynccontextmanager
async def checkout_by_hand(kafka: str, topic_prefix: str) -> AsyncIterator[CheckoutByHand]:
    names = TopicNames(topic_prefix)
    async with (
        AIOKafkaConsumer(
            bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest"
        ) as consumer,
        AIOKafkaProducer(bootstrap_servers=kafka) as producer,
    ):
        partitions = range(COMMANDS.partitions)
        consumer.assign([TopicPartition(names.of(COMMANDS), number) for number in partitions])
        yield CheckoutByHand(consumer, producer, names)


async def store_operation(engine: AsyncEngine, entity_id: str | int, **changes: Any) -> int:
    """A row as checkout would have written it; returns its id."""
    now = datetime.now(UTC)
    values = {
        "billable_entity_id": int(entity_id),
        "action": "checkout",
        "flow": "subscription",
        "client_idempotency_key": "key-1",
        "request_fingerprint_hash": "0" * 64,
        "normalized_request_json": {},
        "operation_key": hashlib.sha256(repr((entity_id, changes)).encode()).hexdigest(),
        "provider": "stripe",
        "status": "pending",
        "created_at": now,
        "updated_at": now,
    } | changes
    values.setdefault("provider_idempotency_key", values["operation_key"])
    async with engine.begin() as connection:
        result = await connection.execute(insert(billing_request_idempotency).values(**values))
        return int(result.lastrowid)


async def every_row(engine: AsyncEngine) -> dict[str, list[Any]]:
    """The whole database, to prove that something changed nothing."""
    async with engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in await connection.execute(select(table))]
            for table in metadata.sorted_tables
        }
