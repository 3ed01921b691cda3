"""Wires reconciler: the database, the producer, the loop. Nothing else builds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from starlette.applications import Starlette

from billing_common.contracts.topics import TopicNames
from billing_common.messaging.dead_letters import DeadLetters
from billing_common.messaging.producer import DurableProducer
from billing_common.observability.http_probes import probe_routes
from billing_common.process.background_tasks import end_task
from billing_common.process.server import instance_name, run_app
from billing_common.settings import Environment
from billing_common.storage.engine import make_engine
from billing_common.storage.server_checks import assert_server_is_safe
from billing_common.storage.transaction import Database
from reconciler.handlers.expired_leases import ExpiredLeases
from reconciler.handlers.failed_events import FailedEvents
from reconciler.handlers.leased_runs import LeasedRuns
from reconciler.jobs import ReconcilerLoop
from reconciler.settings import ReconcilerSettings

log = structlog.get_logger()


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


def make_app(settings: ReconcilerSettings) -> Starlette:
    """Probes over HTTP; the loop lives in the lifespan."""
    names = TopicNames(settings.kafka_topic_prefix)
    instance = instance_name("reconciler")
    engine = make_engine(settings.database_url.get_secret_value(), pool_size=4)
    database = Database(engine)
    producer = DurableProducer(settings.kafka_bootstrap_servers, client_id=instance)
    loop = ReconcilerLoop(
        runs=LeasedRuns(database=database, runner_id=instance),
        expired_leases=ExpiredLeases(
            database=database,
            producer=producer,
            names=names,
            runner_id=instance,
            clock=utc_now,
        ),
        failed_events=FailedEvents(
            database=database,
            producer=producer,
            dead_letters=DeadLetters(producer),
            names=names,
            attempts_max=settings.event_attempts_max,
        ),
        poll_seconds=settings.poll_seconds,
        now_seconds=time.monotonic,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await assert_server_is_safe(
            engine, production=settings.environment is Environment.PRODUCTION
        )
        await producer.start()
        task = asyncio.create_task(loop.run())
        log.info("reconciler.started", name=instance)
        try:
            yield
        finally:
            await end_task(task)
            await producer.stop()
            await database.close()
            log.info("reconciler.stopped", name=instance)

    async def is_live() -> bool:
        return await loop.is_live()

    return Starlette(
        routes=probe_routes(
            live={"loop": is_live},
            ready={"kafka": producer.is_connected, "database": database.is_reachable},
        ),
        lifespan=lifespan,
    )


def run(settings: ReconcilerSettings) -> int:
    """Serve until told to stop; the exit status."""
    return run_app(make_app(settings), host=settings.http_host, port=settings.http_port)
