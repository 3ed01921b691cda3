"""What the server said when it refused a row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing_common.storage.database_errors import duplicate_key_name, error_number

CHECK_VIOLATED = {4025, 3819}  # MariaDB, MySQL
NO_PARENT_ROW = 1452
CHILD_ROW_EXISTS = 1451


@asynccontextmanager
async def refused_by_key(connection: AsyncConnection, key: str) -> AsyncIterator[None]:
    with pytest.raises(DBAPIError) as refusal:
        async with connection.begin_nested():
            yield
    assert duplicate_key_name(refusal.value) == key


@asynccontextmanager
async def refused_by_check(connection: AsyncConnection, check: str) -> AsyncIterator[None]:
    with pytest.raises(DBAPIError) as refusal:
        async with connection.begin_nested():
            yield
    assert error_number(refusal.value) in CHECK_VIOLATED
    assert check in str(refusal.value.orig)


@asynccontextmanager
async def refused_by_number(connection: AsyncConnection, number: int) -> AsyncIterator[None]:
    with pytest.raises(DBAPIError) as refusal:
        async with connection.begin_nested():
            yield
    assert error_number(refusal.value) == number
