"""The tokens of other services: digests, scopes, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.exc import DBAPIError

from billing_common.storage.database_errors import duplicate_key_name
from billing_common.storage.tables import identity_service_tokens
from billing_common.storage.transaction import ReadConnection, WriteConnection

_tokens = identity_service_tokens.c
_TOKEN_KEY: Final = "uq_identity_service_tokens_token"
_NAME_KEY: Final = "uq_identity_service_tokens_name"


class TokenTaken(Exception):  # noqa: N818 - exceptions are facts here
    """Another name has this very token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """A stored token."""

    name: str
    token_sha256: str
    scopes: frozenset[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    sync_version: int


async def find_by_digest(connection: ReadConnection, token_sha256: str) -> TokenRow | None:
    """The token with this digest, also a revoked or expired one."""
    found = await connection.execute(_query().where(_tokens.token_sha256 == token_sha256))
    return _token(found.one_or_none())


async def find_by_name(connection: ReadConnection, name: str) -> TokenRow | None:
    """The token of this name."""
    found = await connection.execute(_query().where(_tokens.name == name))
    return _token(found.one_or_none())


async def lock_by_name(connection: WriteConnection, name: str) -> TokenRow | None:
    """As `find_by_name`, and nobody else changes it meanwhile."""
    found = await connection.execute(_query().where(_tokens.name == name).with_for_update())
    return _token(found.one_or_none())


async def add(
    connection: WriteConnection, name: str, *, values: Mapping[str, Any], now: datetime
) -> bool:
    """Whether it was added; False when somebody just did. Raises TokenTaken."""
    row = {"name": name, **values, "created_at": now, "updated_at": now}
    try:
        await connection.execute(insert(identity_service_tokens).values(**row))
    except DBAPIError as error:
        key_name = duplicate_key_name(error)
        if key_name == _TOKEN_KEY:
            raise TokenTaken from error
        if key_name == _NAME_KEY:
            return False
        raise
    return True


async def change(
    connection: WriteConnection, name: str, *, values: Mapping[str, Any], now: datetime
) -> None:
    """Overwrite a locked row. Raises TokenTaken."""
    try:
        await connection.execute(
            update(identity_service_tokens)
            .where(_tokens.name == name)
            .values(**values, updated_at=now)
        )
    except DBAPIError as error:
        if duplicate_key_name(error) == _TOKEN_KEY:
            raise TokenTaken from error
        raise


def _query() -> Any:
    return select(
        _tokens.name,
        _tokens.token_sha256,
        _tokens.scopes_json,
        _tokens.expires_at,
        _tokens.revoked_at,
        _tokens.sync_version,
    )


def _token(row: Any) -> TokenRow | None:
    if row is None:
        return None
    return TokenRow(
        name=row.name,
        token_sha256=row.token_sha256,
        scopes=frozenset(row.scopes_json),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        sync_version=row.sync_version,
    )
