"""The only commit in the code base: one closure, one transaction, retried as a whole.

A closure reads, decides and writes; it has no other effect, because it may run several times.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, NewType, TypeVar

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from billing_common.observability.transaction_guard import open_transaction
from billing_common.storage.database_errors import (
    RETRYABLE,
    CommitOutcomeUnknown,
    DatabaseUnavailable,
    error_number,
    is_connection_lost,
)

log = structlog.get_logger()

# A read path cannot be handed a connection that writes, and mypy sees to it.
ReadConnection = NewType("ReadConnection", AsyncConnection)
WriteConnection = NewType("WriteConnection", AsyncConnection)

T = TypeVar("T")

ATTEMPTS_MAX: Final = 8
# Full jitter between 0 and base * 2^n, capped: spreads a deadlock storm.
BACKOFF_BASE_SECONDS: Final = 0.01
BACKOFF_CAP_SECONDS: Final = 0.5


class Database:
    """Transactions over one engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def write(self, closure: Callable[[WriteConnection], Awaitable[T]], *, name: str) -> T:
        """Run `closure` in one transaction and return its value once that is committed.

        Deadlocks and lock timeouts rerun the closure, at most ATTEMPTS_MAX times. Raises
        DatabaseUnavailable (nothing stored) or CommitOutcomeUnknown (read again by key).
        """
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return await self._once(closure, name=name)
            except DBAPIError as error:
                number = error_number(error)
                if number not in RETRYABLE:
                    if is_connection_lost(error):
                        raise DatabaseUnavailable(f"{name}: connection lost ({number})") from error
                    raise
                log.info("transaction.retried", transaction=name, error=number, attempt=attempt)
                if attempt == ATTEMPTS_MAX:
                    raise DatabaseUnavailable(f"{name}: lost {attempt} lock races") from error
            except (OSError, PoolTimeout) as error:
                raise DatabaseUnavailable(f"{name}: no connection") from error
            ceiling = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**attempt)
            await asyncio.sleep(random.uniform(0, ceiling))  # noqa: S311 - jitter, not a secret
        raise AssertionError("the loop returns or raises")

    @contextlib.asynccontextmanager
    async def read(self, *, name: str) -> AsyncIterator[ReadConnection]:
        """A connection for reading only: what it sees decides nothing that is written.

        Raises DatabaseUnavailable. It counts as an open transaction: make no network call in it.
        """
        try:
            with open_transaction(name):
                async with self._engine.connect() as connection:
                    yield ReadConnection(connection)
        except (OSError, PoolTimeout) as error:
            raise DatabaseUnavailable(f"{name}: no connection") from error
        except DBAPIError as error:
            if is_connection_lost(error):
                raise DatabaseUnavailable(f"{name}: connection lost") from error
            raise

    async def is_reachable(self) -> bool:
        """For readiness: one round trip. Raises like `read`."""
        async with self.read(name="probe") as connection:
            await connection.execute(text("SELECT 1"))
        return True

    async def close(self) -> None:
        """Give all connections back to the server."""
        await self._engine.dispose()

    async def _once(self, closure: Callable[[WriteConnection], Awaitable[T]], *, name: str) -> T:
        connection = await self._engine.connect()
        try:
            with open_transaction(name):
                transaction = await connection.begin()
                try:
                    result = await closure(WriteConnection(connection))
                except BaseException as error:
                    await _abandon(connection, transaction, error)
                    raise
                await _commit(connection, transaction, name=name)
                return result
        finally:
            await asyncio.shield(connection.close())


async def _abandon(
    connection: AsyncConnection, transaction: AsyncTransaction, error: BaseException
) -> None:
    # A cancelled statement may still be running in the server: that connection is never reused.
    if isinstance(error, asyncio.CancelledError) or is_connection_lost(error):
        await asyncio.shield(connection.invalidate())
        return
    try:
        await transaction.rollback()
    except (DBAPIError, OSError):
        await connection.invalidate()


async def _commit(connection: AsyncConnection, transaction: AsyncTransaction, *, name: str) -> None:
    # A COMMIT on its way is never abandoned: a cancelled caller still learns nothing wrong from it.
    commit = asyncio.ensure_future(transaction.commit())
    try:
        await asyncio.shield(commit)
    except (DBAPIError, OSError) as error:
        number = error_number(error)
        await connection.invalidate()
        if number in RETRYABLE:
            raise
        raise CommitOutcomeUnknown(f"{name}: the answer to COMMIT was lost") from error
    except asyncio.CancelledError:
        await asyncio.wait({commit})
        raise
