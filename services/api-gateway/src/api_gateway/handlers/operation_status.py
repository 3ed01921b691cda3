"""How an operation stands, for those who may see its account; waits for it when asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api_gateway.decisions.operation_progress import (
    FIRST_PAUSE_SECONDS,
    Until,
    has_reached,
    next_pause_seconds,
)
from api_gateway.decisions.receipts import Receipt, read_receipt
from api_gateway.handlers.accounts import AccountResolver
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.repository import operations
from api_gateway.repository.operations import ReadOperation
from billing_common.domain.checkout_session import CheckoutSession
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.secret_rings import SecretRing
from billing_common.storage.transaction import Database

_KEY_LENGTH: Final = 64
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class OperationStanding:
    """The operation and the session it opened."""

    found: ReadOperation
    session: CheckoutSession | None


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """Accepted, and nobody has begun it. `is_due`: somebody still may; else nobody ever will."""

    receipt: Receipt
    is_due: bool


class OperationReader:
    """GET /api/billing/operations/{operation_key}."""

    def __init__(
        self,
        database: Database,
        resolver: AccountResolver,
        *,
        operation_key_secrets: SecretRing,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._resolver = resolver
        self._secrets = operation_key_secrets
        self._clock = clock

    async def read(
        self,
        operation_key: str,
        *,
        receipt: str | None,
        subject: str,
        wait_seconds: float,
        until: Until,
    ) -> OperationStanding | Unclaimed:
        """The standing, as soon as it is what `until` says or the wait is over.

        An operation that does not exist, or is not the caller's, is waited for and refused alike:
        not_found. One that does not exist yet is shown to who has its receipt.
        """
        if len(operation_key) != _KEY_LENGTH or not _HEX.issuperset(operation_key):
            raise RequestRefused(FailureCode.NOT_FOUND)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_seconds
        pause_seconds = FIRST_PAUSE_SECONDS
        is_counted = False
        while True:
            standing = await self._standing(operation_key, subject)
            if standing is not None and not is_counted:
                self._resolver.count_read(standing.found.operation.billable_entity_id)
                is_counted = True
            if standing is not None and has_reached(
                until, standing.found.operation, standing.session
            ):
                return standing
            left_seconds = deadline - loop.time()
            if left_seconds <= 0:
                break
            await asyncio.sleep(min(pause_seconds, left_seconds))
            pause_seconds = next_pause_seconds(pause_seconds)
        if standing is not None:
            return standing
        unclaimed = await self._unclaimed(operation_key, receipt, subject)
        # It may have been claimed between the two looks.
        return await self._standing(operation_key, subject) or unclaimed

    async def _unclaimed(self, operation_key: str, receipt: str | None, subject: str) -> Unclaimed:
        found = (
            None
            if receipt is None
            else read_receipt(receipt, operation_key=operation_key, secrets=self._secrets.all)
        )
        if found is None or not await self._resolver.is_readable(
            found.billable_entity_id, subject=subject
        ):
            raise RequestRefused(FailureCode.NOT_FOUND)
        return Unclaimed(found, is_due=found.is_due(self._clock()))

    async def _standing(self, operation_key: str, subject: str) -> OperationStanding | None:
        async with self._database.read(name="read_operation") as connection:
            found = await operations.find_by_operation_key(connection, operation_key)
            session = await operations.find_session(connection, operation_key)
        if found is None or not await self._resolver.is_readable(
            found.operation.billable_entity_id, subject=subject
        ):
            return None
        return OperationStanding(found, session)
