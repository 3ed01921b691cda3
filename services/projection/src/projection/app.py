"""Wires projection: the database, Stripe, the consumer, the feed relay. Nothing else builds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from starlette.applications import Starlette

from billing_common.contracts.topics import STRIPE_EVENTS, TopicNames
from billing_common.messaging.broker import make_broker, start_broker, stop_broker
from billing_common.messaging.consumer_health import ConsumerHealth
from billing_common.messaging.dead_letters import DeadLetters
from billing_common.messaging.producer import DurableProducer
from billing_common.observability.http_probes import probe_routes
from billing_common.process.background_tasks import end_task
from billing_common.process.server import instance_name, run_app
from billing_common.relay.feed_relay import SHARDS, FeedRelay
from billing_common.settings import Environment
from billing_common.storage.engine import make_engine
from billing_common.storage.server_checks import assert_server_is_safe
from billing_common.storage.transaction import Database
from billing_common.stripe_api.client import StripeProvider
from projection.handlers.batch import GROUP, BatchProjector
from projection.handlers.truth import TruthSource
from projection.handlers.unreadable import UnreadableRecords
from projection.settings import ProjectionSettings
from projection.subscribers import stripe_events_consumer

log = structlog.get_logger()


def make_app(settings: ProjectionSettings) -> Starlette:
    """Probes over HTTP; the consumer and the relay live in the lifespan."""
    names = TopicNames(settings.kafka_topic_prefix)
    instance = instance_name("projection")
    engine = make_engine(settings.database_url.get_secret_value())
    database = Database(engine)
    producer = DurableProducer(settings.kafka_bootstrap_servers, client_id=instance)
    provider = StripeProvider(
        secret_key=settings.stripe_secret_key.get_secret_value(),
        api_version=settings.stripe_api_version,
        timeout_seconds=settings.stripe_timeout_seconds,
        base_url=settings.stripe_base_url,
    )
    relay = FeedRelay(database=database, producer=producer, names=names, owner=instance)
    group = names.group(GROUP)
    projector = BatchProjector(
        database=database,
        truth=TruthSource(provider),
        unreadable=UnreadableRecords(DeadLetters(producer)),
        group=group,
        feed_shards=SHARDS,
        on_committed=relay.wake,
    )
    consumer = stripe_events_consumer(
        projector,
        topic=names.of(STRIPE_EVENTS),
        group=group,
        records_max=settings.batch_records_max,
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
        tasks = [asyncio.create_task(relay.run()), asyncio.create_task(health.watch())]
        log.info("projection.started", name=instance)
        try:
            yield
        finally:
            await consumer.stop()
            await stop_broker(broker)
            for task in tasks:
                await end_task(task)
            await producer.stop()
            await provider.close()
            await database.close()
            log.info("projection.stopped", name=instance)

    return Starlette(
        routes=probe_routes(
            live={"consumer": health.is_live, "feed_relay": relay.is_live},
            ready={"kafka": producer.is_connected, "database": database.is_reachable},
        ),
        lifespan=lifespan,
    )


def run(settings: ProjectionSettings) -> int:
    """Serve until told to stop; the exit status."""
    return run_app(make_app(settings), host=settings.http_host, port=settings.http_port)
