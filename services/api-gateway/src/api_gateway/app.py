"""Wires api-gateway: settings, database, Kafka, handlers, routes, server. Nothing else builds."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import structlog
from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp

from api_gateway.decisions.access_tokens import (
    KeyFileInvalid,
    VerificationKey,
    keys_from_jwks,
    keys_from_shared_secret,
)
from api_gateway.decisions.token_buckets import Rate
from api_gateway.handlers.accounts import AccountResolver
from api_gateway.handlers.authentication import Authenticator
from api_gateway.handlers.claim_provisioning import ClaimProvisioner
from api_gateway.handlers.command_bus import CommandBus, command_id_of, reply_partition
from api_gateway.handlers.directory_sync import DirectorySync
from api_gateway.handlers.key_ring import KeyRing, KeySource, KeysUnreadable
from api_gateway.handlers.operation_status import OperationReader
from api_gateway.handlers.organization_sync import OrganizationDirectory
from api_gateway.handlers.rate_limits import RateLimiter, RateLimits
from api_gateway.handlers.readings import BillingReader
from api_gateway.handlers.service_token_sync import ServiceTokenSync
from api_gateway.handlers.write_submission import WriteSubmitter
from api_gateway.routes import (
    checkout,
    directory,
    operations,
    organizations,
    payment_links,
    plans,
    portal,
    problems,
    service_tokens,
    subscription,
    timeline,
)
from api_gateway.routes.openapi_document import describe
from api_gateway.routes.request_boundary import RequestBoundary
from api_gateway.routes.service_access import require_scope
from api_gateway.routes.writes import Writes
from api_gateway.settings import (
    CONNECTIONS_MAX,
    DRAIN_MARGIN_SECONDS,
    KEEP_ALIVE_SECONDS,
    KEY_ADDRESS_LOOKED_AT_SECONDS,
    KEY_FILE_LOOKED_AT_SECONDS,
    RATE_BURST_SECONDS,
    GatewaySettings,
)
from billing_common.contracts.topics import COMMANDS, REPLIES, TopicNames
from billing_common.messaging.producer import DurableProducer
from billing_common.messaging.replies import ReplyInbox
from billing_common.observability.http_probes import probe_routes
from billing_common.process.bounded_fetch import FetchFailed, fetch_text
from billing_common.process.server import run_app
from billing_common.process.timed_connection import TimedConnection
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
    """The keys to begin with; none yet where they come from an address. Raises KeyFileInvalid."""
    if settings.jwt_shared_secret is not None:
        return keys_from_shared_secret(settings.jwt_shared_secret.get_secret_value().encode())
    if settings.jwt_jwks_file is None:
        return {}
    try:
        return keys_from_jwks(settings.jwt_jwks_file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileInvalid(f"it cannot be read: {type(error).__name__}") from error


def key_source(settings: GatewaySettings) -> KeySource | None:
    """Where newer keys come from, when they may change while we run."""
    if settings.jwt_jwks_file is not None:

        async def read_file() -> Mapping[str | None, VerificationKey]:
            return await asyncio.to_thread(load_keys, settings)

        return KeySource(read_file, every_seconds=KEY_FILE_LOOKED_AT_SECONDS)
    address = settings.jwt_jwks_url
    if address is None:
        return None

    async def fetch() -> Mapping[str | None, VerificationKey]:
        try:
            text = await fetch_text(address)
        except FetchFailed as error:
            raise KeysUnreadable(str(error)) from error
        return keys_from_jwks(text, must_know_all=False)

    return KeySource(fetch, every_seconds=KEY_ADDRESS_LOOKED_AT_SECONDS)


def rate_limits(settings: GatewaySettings) -> RateLimits:
    """As the settings say; writes come in minutes, because few are wanted."""

    def a_second(per_second: float) -> Rate:
        return Rate(per_second, max(per_second * RATE_BURST_SECONDS, 1.0))

    writes_per_minute = settings.rate_account_writes_per_minute
    return RateLimits(
        replica=a_second(settings.rate_replica_per_second),
        user=a_second(settings.rate_user_per_second),
        service=a_second(settings.rate_service_per_second),
        account=a_second(settings.rate_account_per_second),
        account_writes=Rate(writes_per_minute / 60, max(writes_per_minute, 1.0)),
    )


class Gateway:
    """The process's parts, built once; `app` is what the server runs."""

    def __init__(
        self, settings: GatewaySettings, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        """Raises KeyFileInvalid."""
        self._settings = settings
        self._clock = clock
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
        self._limiter = RateLimiter(rate_limits(settings), monotonic=time.monotonic)
        self._keys = KeyRing(
            key_source(settings), known=load_keys(settings), monotonic=time.monotonic
        )
        self.api = self._make_api()
        self.app: ASGIApp = RequestBoundary(
            self.api,
            authenticator=Authenticator(
                issuer=settings.jwt_issuer,
                audience=settings.jwt_audience,
                keys=self._keys,
                configured_token_sha256s=settings.service_token_sha256s,
                database=self._database,
                clock=clock,
            ),
            limiter=self._limiter,
            provisioner=ClaimProvisioner(database=self._database, clock=clock)
            if settings.provisions_from_claims
            else None,
        )

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
        describe(api)
        return api

    def _public_routes(self) -> APIRouter:
        settings, database = self._settings, self._database
        resolver = AccountResolver(database, self._limiter)
        reader = BillingReader(database)
        writes = Writes(
            submitter=WriteSubmitter(
                database=database,
                bus=self._bus,
                operation_key_secrets=settings.operation_key_secrets,
                reply_wait_seconds=settings.reply_wait_seconds,
                clock=self._clock,
                make_command_id=uuid4,
            ),
            resolver=resolver,
            reply_wait_seconds=settings.reply_wait_seconds,
        )
        operation_reader = OperationReader(
            database,
            resolver,
            operation_key_secrets=settings.operation_key_secrets,
            clock=self._clock,
        )
        # Enforced by RequestBoundary; stated here for OpenAPI.
        user_token = HTTPBearer(scheme_name="userToken", auto_error=False)
        router = APIRouter(dependencies=[Security(user_token)])
        router.include_router(plans.make_router(reader))
        router.include_router(subscription.make_router(reader, resolver))
        router.include_router(checkout.make_router(writes, currency=settings.currency))
        router.include_router(portal.make_router(writes))
        router.include_router(payment_links.make_router(writes, currency=settings.currency))
        router.include_router(operations.make_router(operation_reader))
        router.include_router(timeline.make_router(reader, resolver))
        return router

    def _internal_routes(self) -> APIRouter:
        database, clock = self._database, self._clock
        service_token = HTTPBearer(scheme_name="serviceToken", auto_error=False)
        router = APIRouter(dependencies=[Security(service_token), Depends(require_scope)])
        router.include_router(directory.make_router(DirectorySync(database=database, clock=clock)))
        router.include_router(
            organizations.make_router(OrganizationDirectory(database=database, clock=clock))
        )
        router.include_router(
            service_tokens.make_router(ServiceTokenSync(database=database, clock=clock))
        )
        return router

    @asynccontextmanager
    async def _lifespan(self, _api: FastAPI) -> AsyncIterator[None]:
        await assert_server_is_safe(
            self._engine, production=self._settings.environment is Environment.PRODUCTION
        )
        # Without Kafka we start all the same: reads work, writes answer 503 until it is back.
        await asyncio.gather(
            self._producer.start(), self._inbox.start(timeout_seconds=5), self._keys.start()
        )
        log.info("gateway.started", port=self._settings.http_port)
        try:
            yield
        finally:
            await self._keys.stop()
            await self._inbox.stop()
            await self._producer.stop()
            await self._database.close()
            log.info("gateway.stopped")

    async def _has_live_inbox(self) -> bool:
        return self._inbox.has_live_task

    async def _is_listening(self) -> bool:
        return self._inbox.is_listening


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
        http=TimedConnection,
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
