"""Asking the provider how an object really stands, when payloads cannot say.

Outside any transaction, once per object and round, a few at a time. The caller notes the row's
version first: an answer fetched before somebody else wrote the row is not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from billing_common.domain.provider_objects import ProviderObject
from billing_common.stripe_api.port import Answer, BillingProvider
from projection.decisions.event import Family, ObjectRef, Truth

log = structlog.get_logger()

# Stripe allows 100 reads a second for a whole account; the interactive lane comes first.
CONCURRENT_FETCHES: Final = 8
# For all objects of a batch together. A provider that hangs must not hold up the partition: what
# was not answered by then fails alone and is asked about again later.
FETCH_SECONDS_MAX: Final = 10.0


class TruthSource:
    """Fetches current objects. One per process: its bound is the process's share of the rate."""

    def __init__(
        self, provider: BillingProvider, *, seconds_max: float = FETCH_SECONDS_MAX
    ) -> None:
        self._provider = provider
        self._seconds_max = seconds_max
        self._slots = asyncio.Semaphore(CONCURRENT_FETCHES)

    async def fetch(self, fences: Mapping[ObjectRef, int]) -> dict[ObjectRef, Truth]:
        """The truth of each object, with the fence it was asked under; absent: not to be had."""

        async def one(ref: ObjectRef, row_version: int) -> tuple[ObjectRef, Truth | None]:
            async with self._slots:
                found = await self._retrieve(ref)
            return ref, Truth(found, row_version) if found is not None else None

        asked = [asyncio.create_task(one(ref, fence)) for ref, fence in fences.items()]
        try:
            answered, _ = await asyncio.wait(asked, timeout=self._seconds_max)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        pairs = [task.result() for task in answered]
        return {ref: truth for ref, truth in pairs if truth is not None}

    async def _retrieve(self, ref: ObjectRef) -> ProviderObject | None:
        match ref.family:
            case Family.SUBSCRIPTION:
                subscription = await self._provider.retrieve_subscription(ref.id)
                return subscription.value if isinstance(subscription, Answer) else None
            case Family.INVOICE:
                invoice = await self._provider.retrieve_invoice(ref.id)
                return invoice.value if isinstance(invoice, Answer) else None
            case Family.CHECKOUT_SESSION:
                session = await self._provider.retrieve_checkout_session(ref.id)
                return session.value if isinstance(session, Answer) else None
