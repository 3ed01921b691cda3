"""The double as one object: settings in, an ASGI app and a control plane out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import structlog

from stripe_double.control import ControlPlane
from stripe_double.engine.clock import Clock
from stripe_double.engine.delivery import CourierSettings
from stripe_double.engine.persistence import open_persistence
from stripe_double.engine.rate_limits import RateLimits
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import TransactionOptions
from stripe_double.engine.world import World
from stripe_double.http.app import App
from stripe_double.resources.catalog import BEFORE_COMMIT, DEADLINES
from stripe_double.settings import Settings
from stripe_double.wire.versions.webhook_bodies import body_for

log = structlog.get_logger("stripe_double")


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("double.task_failed", task=task.get_name(), exc_info=error)


class StripeDouble:
    """One Stripe account. `asgi_app` serves it; `control` scripts it; `world` holds it."""

    def __init__(
        self, settings: Settings, *, webhook_transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """`webhook_transport` takes webhooks instead of the network, e.g. `httpx.MockTransport`."""
        self.settings = settings
        self.world = World(
            persistence=open_persistence(settings.data_dir),
            clock=Clock(settings.clock_start_seconds, ticking=settings.clock_ticking),
            seed=settings.seed,
            options=TransactionOptions(
                account_country=settings.account_country,
                account_name=settings.account_name,
                page_base_url=settings.public_url or f"http://{settings.host}:{settings.port}",
                subscription_starts_as=settings.subscription_starts_as,
                account_api_version=settings.account_api_version,
                events_listed_in=settings.events_listed_in,
                event_list_lag_seconds=settings.event_list_lag_seconds,
                subscription_after_retries=settings.subscription_after_retries,
            ),
            courier=CourierSettings(
                retry_seconds=settings.webhook_retry_seconds,
                timeout_seconds=settings.webhook_timeout_seconds,
                concurrency=settings.webhook_concurrency,
                transport=webhook_transport,
            ),
            deadlines=DEADLINES,
            render=self._render_for,
            rate_limits=RateLimits(
                read_per_second=settings.rate_limit_read_per_second,
                write_per_second=settings.rate_limit_write_per_second,
                endpoint_per_second=settings.rate_limit_endpoint_per_second,
                is_virtual=settings.rate_limit_clock == "virtual",
            ),
        )
        self.world.before_commit = BEFORE_COMMIT
        self.control = ControlPlane(self.world, settings)
        self.control.ensure_configured_endpoint()
        self.asgi_app = App(self.world, self.control, settings)

    def _render_for(self, event: Record, endpoint: Record) -> JsonObject:
        options = self.world.options
        return body_for(event, endpoint, options.account_api_version, self.world.store.find)

    def serve_at(self, base_url: str) -> None:
        """Hosted page URLs start with `base_url`, unless the settings name a public one."""
        if self.settings.public_url is None:
            self.world.options = replace(self.world.options, page_base_url=base_url)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[StripeDouble]:
        """Webhooks are delivered and the clock acts for as long as this lasts."""
        tasks = [
            asyncio.create_task(self.world.courier.run(), name="stripe-double-courier"),
            asyncio.create_task(self.world.keep_time(), name="stripe-double-clock"),
        ]
        for task in tasks:
            task.add_done_callback(_report)
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome

    async def settle(self) -> None:
        """Without `running`: let all happen and be delivered that is due, one after the other.

        Nothing runs beside it, so that the same world settles in the same order every time.
        """
        is_settled = False
        while not is_settled:
            await asyncio.sleep(0)
            self.world.run_due()
            is_settled = await self.world.courier.send_due() == 0

    def close(self) -> None:
        """Release the storage."""
        self.world.close()
