"""Wires webhook-ingest: settings, the producer, the endpoint, the server. Nothing else builds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from starlette.applications import Starlette
from starlette.types import ASGIApp

from billing_common.contracts.stripe_event_headers import StripeEventHeaders
from billing_common.contracts.topics import STRIPE_EVENTS, TopicNames
from billing_common.messaging.producer import DurableProducer
from billing_common.observability.http_probes import probe_routes
from billing_common.process.server import run_app
from billing_common.process.timed_connection import TimedConnection
from webhook_ingest.handlers import DeliveryHandler, DeliveryPolicy
from webhook_ingest.routes.stripe_webhook import StripeWebhook
from webhook_ingest.settings import (
    CONNECTIONS_MAX,
    DRAIN_SECONDS,
    KEEP_ALIVE_SECONDS,
    PUBLISH_TIMEOUT_SECONDS,
    IngestSettings,
)

log = structlog.get_logger()


class KafkaEventLog:
    """The topic of Stripe's events."""

    def __init__(self, producer: DurableProducer, topic_name: str) -> None:
        self._producer = producer
        self._topic_name = topic_name

    async def append(
        self, *, key: bytes, value: bytes, headers: StripeEventHeaders, timeout_seconds: float
    ) -> None:
        """See webhook_ingest.handlers.EventLog."""
        await self._producer.send(
            self._topic_name,
            key=key,
            value=value,
            headers=headers.to_pairs(),
            timeout_seconds=timeout_seconds,
        )


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


def make_app(settings: IngestSettings) -> ASGIApp:
    """The ASGI application. Its lifespan connects to Kafka, and does not insist: while the broker
    is away deliveries are answered 503 and Stripe sends them again."""
    producer = DurableProducer(settings.kafka_bootstrap_servers, client_id="webhook-ingest")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        is_connected = await producer.start()
        log.info("ingest.started", status="connected" if is_connected else "unconnected")
        try:
            yield
        finally:
            await producer.stop()
            log.info("ingest.stopped")

    probes = Starlette(
        routes=probe_routes(live={}, ready={"kafka": producer.is_connected}), lifespan=lifespan
    )
    topic_name = TopicNames(settings.kafka_topic_prefix).of(STRIPE_EVENTS)
    handler = DeliveryHandler(
        event_log=KafkaEventLog(producer, topic_name),
        policy=DeliveryPolicy(
            secrets=tuple(secret.get_secret_value() for secret in settings.webhook_secrets),
            livemode=settings.stripe_livemode,
            account_id=settings.stripe_account_id,
            publish_timeout_seconds=PUBLISH_TIMEOUT_SECONDS,
        ),
        clock=utc_now,
    )
    return StripeWebhook(handler=handler, probes=probes, clock=utc_now)


def run(settings: IngestSettings) -> int:
    """Serve until told to stop; the exit status."""
    return run_app(
        make_app(settings),
        host=settings.http_host,
        port=settings.http_port,
        http=TimedConnection,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
