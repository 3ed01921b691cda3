"""Watches an engine: in which order does each transaction lock or write the entity's tables?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

ORDER: Final = (
    "billable_entities",
    "billing_subscriptions",
    "billing_request_idempotency",
    "billing_checkout_sessions",
    "billing_subscription_remediations",
    "billing_outbox_jobs",
)
_LOCKING = re.compile(
    r"^(?:INSERT INTO|UPDATE) `?(\w+)|FROM (\w+)\b.*FOR UPDATE", re.IGNORECASE | re.DOTALL
)


@contextmanager
def recorded_lock_orders(engine: AsyncEngine) -> Iterator[list[list[str]]]:
    """One list per transaction: the entity's tables in the order of their *first* lock."""
    transactions: list[list[str]] = []
    current: dict[int, list[str]] = {}
    sync = engine.sync_engine

    def began(connection: Any) -> None:
        current[id(connection)] = []
        transactions.append(current[id(connection)])

    def executing(
        connection: Any, _cursor: Any, statement: str, _parameters: Any, _context: Any, _many: bool
    ) -> None:
        found = _LOCKING.search(statement)
        tables = current.get(id(connection))
        if found is None or tables is None:
            return
        table = found.group(1) or found.group(2)
        if table in ORDER and table not in tables:
            tables.append(table)

    event.listen(sync, "begin", began)
    event.listen(sync, "before_cursor_execute", executing)
    try:
        yield transactions
    finally:
        event.remove(sync, "begin", began)
        event.remove(sync, "before_cursor_execute", executing)


@contextmanager
def recorded_writes(engine: AsyncEngine) -> Iterator[list[tuple[str, str]]]:
    """(verb, table) of every INSERT and UPDATE, in order."""
    writes: list[tuple[str, str]] = []

    def executing(
        _connection: Any, _cursor: Any, statement: str, _values: Any, _context: Any, _many: bool
    ) -> None:
        found = re.match(r"(INSERT INTO|UPDATE) `?(\w+)", statement)
        if found is not None:
            writes.append((found.group(1), found.group(2)))

    event.listen(engine.sync_engine, "before_cursor_execute", executing)
    try:
        yield writes
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", executing)


def inversions(transactions: list[list[str]]) -> list[list[str]]:
    """The transactions that turned round."""
    return [
        tables
        for tables in transactions
        if [ORDER.index(t) for t in tables] != sorted(ORDER.index(t) for t in tables)
    ]
