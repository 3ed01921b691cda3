"""Wires checkout: the database, Stripe, the command consumer, replies. Nothing else builds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from starlette.applications import Starlette

from billing_common.contracts.commands import Command
from billing_common.contracts.topics import COMMANDS, REPLIES, TopicNames
from billing_common.messaging.broker import make_broker, start_broker, stop_broker
from billing_common.messaging.consumer_health import ConsumerHealth
from billing_common.messaging.dead_letters import DeadLetters
from billing_common.messaging.keyed_concurrency import KeyedConcurrencyConsumer
from billing_common.messaging.producer import DurableProducer
from billing_common.observability.http_probes import probe_routes
from billing_common.process.background_tasks import end_task
from billing_common.process.server import instance_name, run_app
from billing_common.settings import Environment
from billing_common.storage.engine import make_engine
from billing_common.storage.server_checks import assert_server_is_safe
from billing_common.storage.transaction import Database
from billing_common.stripe_api.client import StripeProvider
from checkout.handlers.commands import begin_command
from checkout.handlers.context import CheckoutContext
from checkout.settings import CheckoutSettings
from checkout.subscribers import GROUP, Begun, CommandSubscriber

log = structlog.get_logger()


def utc_now() -> datetime:
    """The wall clock, aware: for the deadlines that api-gateway states."""
    return datetime.now(UTC)


def make_provider(settings: CheckoutSettings) -> StripeProvider:
    """Stripe, or what BILLING_STRIPE_BASE_URL points at."""
    return StripeProvider(
        secret_key=settings.stripe_secret_key.get_secret_value(),
        api_version=settings.stripe_api_version,
        timeout_seconds=settings.stripe_timeout_seconds,
        base_url=settings.stripe_base_url,
    )


def make_context(
    settings: CheckoutSettings, *, database: Database, provider: StripeProvider, instance: str
) -> CheckoutContext:
    """What every command is worked on with."""
    return CheckoutContext(
        database=database,
        provider=provider,
        provider_key_secret=settings.provider_idempotency_key_secrets.current,
        currency=settings.currency,
        public_url=settings.public_url,
        lease_owner=instance,
        lease_seconds=settings.lease_seconds,
        provider_timeout_seconds=settings.stripe_timeout_seconds,
        utc_now=utc_now,
        monotonic=time.monotonic,
    )


def make_app(settings: CheckoutSettings) -> Starlette:
    """Probes over HTTP; the consumer lives in the lifespan."""
    names = TopicNames(settings.kafka_topic_prefix)
    instance = instance_name("checkout")
    engine = make_engine(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_connections_max,
        pool_overflow=0,
    )
    database = Database(engine)
    provider = make_provider(settings)
    context = make_context(settings, database=database, provider=provider, instance=instance)
    producer = DurableProducer(settings.kafka_bootstrap_servers, client_id=instance)

    async def begin(command: Command) -> Begun:
        return await begin_command(context, command)

    subscriber = CommandSubscriber(begin=begin, replies=producer, replies_topic=names.of(REPLIES))
    consumer = KeyedConcurrencyConsumer(
        topic=names.of(COMMANDS),
        group_id=names.group(GROUP),
        handle=subscriber.receive,
        dead_letters=DeadLetters(producer),
        max_in_flight=settings.entities_in_flight_max,
    )
    broker = make_broker(settings.kafka_bootstrap_servers, client_id=instance)
    consumer.attach(broker)
    health = ConsumerHealth([consumer])

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await assert_server_is_safe(
            engine, production=settings.environment is Environment.PRODUCTION
        )
        await producer.start()
        await start_broker(broker)
        watching = asyncio.create_task(health.watch())
        log.info("checkout.started", name=instance)
        try:
            yield
        finally:
            await consumer.stop()
            await stop_broker(broker)
            await end_task(watching)
            await producer.stop()
            await provider.close()
            await database.close()
            log.info("checkout.stopped", name=instance)

    return Starlette(
        routes=probe_routes(
            live={"consumer": health.is_live},
            ready={"kafka": producer.is_connected, "database": database.is_reachable},
        ),
        lifespan=lifespan,
    )


def run(settings: CheckoutSettings) -> int:
    """Serve until told to stop; the exit status."""
    return run_app(make_app(settings), host=settings.http_host, port=settings.http_port)
