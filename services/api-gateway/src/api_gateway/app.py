"""Wires api-gateway: settings, database, Kafka, handlers, routes, server. Nothing else builds."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import structlog
from fastapi import APIRouter, FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp

from api_gateway.decisions.access_tokens import (
    KeyFileInvalid,
    TokenPolicy,
    VerificationKey,
    keys_from_jwks,
    keys_from_shared_secret,
)
from api_gateway.handlers.accounts import AccountResolver
from api_gateway.handlers.authentication import Authenticator
from api_gateway.handlers.checkout_submission import CheckoutSubmitter
from api_gateway.handlers.command_bus import CommandBus, command_id_of, reply_partition
from api_gateway.handlers.directory_sync import DirectorySync
from api_gateway.handlers.operation_status import OperationReader
from api_gateway.handlers.readings import BillingReader
from api_gateway.routes import (
    checkout,
    directory,
    operations,
    plans,
    problems,
    subscription,
    timeline,
)
from api_gateway.routes.request_boundary import RequestBoundary
from api_gateway.routes.wire import Problem
from api_gateway.settings import (
    CONNECTIONS_MAX,
    DRAIN_MARGIN_SECONDS,
    KEEP_ALIVE_SECONDS,
    GatewaySettings,
)
from billing_common.contracts.topics import COMMANDS, REPLIES, TopicNames
from billing_common.messaging.producer import DurableProducer
from billing_common.messaging.replies import ReplyInbox
from billing_common.observability.http_probes import probe_routes
from billing_common.process.server import run_app
from billing_common.settings import Environment
from billing_common.storage.engine import make_engine
from billing_common.storage.server_checks import assert_server_is_safe
from billing_common.storage.transaction import Database

log = structlog.get_logger()

EXIT_CONFIGURATION: Final = 78
VERSION: Final = "1"


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


def load_keys(settings: GatewaySettings) -> Mapping[str | None, VerificationKey]:
    """The keys that tokens are verified with. Raises KeyFileInvalid."""
    if settings.jwt_shared_secret is not None:
        return keys_from_shared_secret(settings.jwt_shared_secret.get_secret_value().encode())
    assert settings.jwt_jwks_file is not None  # noqa: S101 - settings demand one of the two
    try:
        return keys_from_jwks(settings.jwt_jwks_file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileInvalid(f"it cannot be read: {type(error).__name__}") from error


class Gateway:
    """The process's parts, built once; `app` is what the server runs."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._engine = make_engine(settings.database_url.get_secret_value())
        self._database = Database(self._engine)
        topics = TopicNames(settings.kafka_topic_prefix)
        partition = reply_partition(settings.replica_name)
        self._producer = DurableProducer(settings.kafka_bootstrap_servers, client_id="api-gateway")
        self._inbox = ReplyInbox(
            settings.kafka_bootstrap_servers,
            topic=topics.of(REPLIES),
            partition=partition,
            client_id="api-gateway",
            correlate=command_id_of,
        )
        self._bus = CommandBus(
            producer=self._producer,
            inbox=self._inbox,
            topic_name=topics.of(COMMANDS),
            partition=partition,
        )
        authenticator = Authenticator(
            token_policy=TokenPolicy(
                settings.jwt_issuer, settings.jwt_audience, load_keys(settings)
            ),
            service_token_sha256s=settings.service_token_sha256s,
            clock=utc_now,
        )
        self.api = self._make_api()
        self.app: ASGIApp = RequestBoundary(self.api, authenticator=authenticator)

    def _make_api(self) -> FastAPI:
        api = FastAPI(
            title="Holdfast billing API",
            version=VERSION,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            lifespan=self._lifespan,
        )
        problems.install(api)
        api.include_router(self._public_routes())
        api.include_router(self._internal_routes())
        api.router.routes.extend(
            probe_routes(
                live={"replies": self._has_live_inbox},
                ready={
                    "database": self._database.is_reachable,
                    "kafka": self._producer.is_connected,
                    "replies_heard": self._is_listening,
                },
            )
        )
        _describe_problem(api)
        return api

    def _public_routes(self) -> APIRouter:
        resolver = AccountResolver(self._database)
        reader = BillingReader(self._database)
        submitter = CheckoutSubmitter(
            database=self._database,
            bus=self._bus,
            operation_key_secret=self._settings.operation_key_secret.get_secret_value().encode(),
            reply_wait_seconds=self._settings.reply_wait_seconds,
            clock=utc_now,
            make_command_id=uuid4,
        )
        # Enforced by RequestBoundary; stated here for OpenAPI.
        user_token = HTTPBearer(scheme_name="userToken", auto_error=False)
        router = APIRouter(dependencies=[Security(user_token)])
        router.include_router(plans.make_router(reader))
        router.include_router(subscription.make_router(reader, resolver))
        router.include_router(
            checkout.make_router(
                submitter, resolver, reply_wait_seconds=self._settings.reply_wait_seconds
            )
        )
        router.include_router(operations.make_router(OperationReader(self._database, resolver)))
        router.include_router(timeline.make_router(reader, resolver))
        return router

    def _internal_routes(self) -> APIRouter:
        sync = DirectorySync(database=self._database, clock=utc_now)
        service_token = HTTPBearer(scheme_name="serviceToken", auto_error=False)
        router = APIRouter(dependencies=[Security(service_token)])
        router.include_router(directory.make_router(sync))
        return router

    @asynccontextmanager
    async def _lifespan(self, _api: FastAPI) -> AsyncIterator[None]:
        await assert_server_is_safe(
            self._engine, production=self._settings.environment is Environment.PRODUCTION
        )
        # Without Kafka we start all the same: reads work, writes answer 503 until it is back.
        await asyncio.gather(self._producer.start(), self._inbox.start(timeout_seconds=5))
        log.info("gateway.started", port=self._settings.http_port)
        try:
            yield
        finally:
            await self._inbox.stop()
            await self._producer.stop()
            await self._database.close()
            log.info("gateway.stopped")

    async def _has_live_inbox(self) -> bool:
        return self._inbox.has_live_task

    async def _is_listening(self) -> bool:
        return self._inbox.is_listening


def _describe_problem(api: FastAPI) -> None:
    """Adds the one error shape to the document; routes only refer to it."""
    original = api.openapi

    def described() -> dict[str, Any]:
        document = original()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = document["components"]["schemas"]
        schemas.update(schema.pop("$defs", {}))
        schemas["Problem"] = schema
        # FastAPI's own error, which nobody ever gets from us.
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        return document

    api.openapi = described  # type: ignore[method-assign]


def run(settings: GatewaySettings) -> int:
    """Serve until told to stop; the exit status."""
    try:
        gateway = Gateway(settings)
    except KeyFileInvalid as error:
        return report_key_file(error)
    return run_app(
        gateway.app,
        host=settings.http_host,
        port=settings.http_port,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.reply_wait_seconds) + DRAIN_MARGIN_SECONDS,
    )


def check(settings: GatewaySettings) -> int:
    """Settings that load are right, but for the key file that they name."""
    try:
        load_keys(settings)
    except KeyFileInvalid as error:
        return report_key_file(error)
    return 0


def report_key_file(error: KeyFileInvalid) -> int:
    """Tells a person; the exit status for wrong settings."""
    sys.stderr.write(f"configuration error: BILLING_JWT_JWKS_FILE: {error}\n")
    return EXIT_CONFIGURATION
