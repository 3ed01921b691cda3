"""How an operation stands, for those who may see its account; waits for it when asked to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from api_gateway.decisions.entity_access import Access
from api_gateway.decisions.operation_progress import (
    FIRST_PAUSE_SECONDS,
    Until,
    has_reached,
    next_pause_seconds,
)
from api_gateway.decisions.selectors import EntitySelector
from api_gateway.handlers.accounts import AccountResolver
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.repository import operations
from api_gateway.repository.operations import ReadOperation
from billing_common.domain.checkout_session import CheckoutSession
from billing_common.domain.failure_codes import FailureCode
from billing_common.storage.transaction import Database

_KEY_LENGTH: Final = 64
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class OperationStanding:
    """The operation and the session it opened."""

    found: ReadOperation
    session: CheckoutSession | None


class OperationReader:
    """GET /api/billing/operations/{operation_key}."""

    def __init__(self, database: Database, resolver: AccountResolver) -> None:
        self._database = database
        self._resolver = resolver

    async def read(
        self, operation_key: str, *, subject: str, wait_seconds: float, until: Until
    ) -> OperationStanding:
        """The standing, as soon as it is what `until` says or the wait is over.

        An operation that does not exist, does not exist yet, or is not the caller's is waited for
        and refused alike: not_found.
        """
        if len(operation_key) != _KEY_LENGTH or not _HEX.issuperset(operation_key):
            raise RequestRefused(FailureCode.NOT_FOUND)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_seconds
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            standing = await self._standing(operation_key, subject)
            if standing is not None and has_reached(
                until, standing.found.operation, standing.session
            ):
                return standing
            left_seconds = deadline - loop.time()
            if left_seconds <= 0:
                break
            await asyncio.sleep(min(pause_seconds, left_seconds))
            pause_seconds = next_pause_seconds(pause_seconds)
        if standing is None:
            raise RequestRefused(FailureCode.NOT_FOUND)
        return standing

    async def _standing(self, operation_key: str, subject: str) -> OperationStanding | None:
        async with self._database.read(name="read_operation") as connection:
            found = await operations.find_by_operation_key(connection, operation_key)
            session = await operations.find_session(connection, operation_key)
        if found is None:
            return None
        try:
            await self._resolver.resolve(
                subject=subject,
                selector=EntitySelector(found.operation.billable_entity_id),
                access=Access.READ,
            )
        except RequestRefused:
            return None
        return OperationStanding(found, session)
