"""Tokens for other services: named, scoped, revocable. The token itself never comes here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from api_gateway.decisions.directory_changes import SyncOutcome, decide_sync
from api_gateway.decisions.service_tokens import ServiceCaller
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.repository import service_tokens
from api_gateway.repository.service_tokens import TokenRow, TokenTaken
from billing_common.domain.failure_codes import FailureCode
from billing_common.storage.transaction import Database, WriteConnection

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSync:
    """A token as it shall be at `version`."""

    name: str
    token_sha256: str
    scopes: frozenset[str]
    expires_at: datetime | None
    is_revoked: bool
    version: int


@dataclass(frozen=True, slots=True)
class TokenSynced:
    """What is stored now."""

    row: TokenRow
    outcome: SyncOutcome


class ServiceTokenSync:
    """PUT and GET /internal/v1/service-tokens/{name}."""

    def __init__(self, *, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def put(self, sync: TokenSync, *, caller: ServiceCaller) -> TokenSynced:
        """Store the token unless a newer version is stored.

        Raises RequestRefused for a scope that the caller lacks, for a token that another name has,
        and for a revoked token that would be valid again.
        """
        beyond = sorted(sync.scopes - caller.scopes)
        if beyond:
            raise RequestRefused(FailureCode.SERVICE_SCOPE_REQUIRED, details={"scope": beyond[0]})
        now = self._clock()

        async def write(connection: WriteConnection) -> TokenSynced:
            return await _put(connection, sync, caller, now)

        try:
            synced = await self._database.write(write, name="sync_service_token")
        except TokenTaken:
            raise _refused("tokenSha256", "is another name's; make a new token") from None
        log.info(
            "gateway.service_token_synced",
            name=sync.name,
            reason=f"by {caller.name}",
            outcome=synced.outcome.value,
            version=synced.row.sync_version,
        )
        return synced

    async def read(self, name: str) -> TokenRow:
        """The token of this name. Raises RequestRefused(not_found)."""
        async with self._database.read(name="read_service_token") as connection:
            found = await service_tokens.find_by_name(connection, name)
        if found is None:
            raise RequestRefused(FailureCode.NOT_FOUND)
        return found


async def _put(
    connection: WriteConnection, sync: TokenSync, caller: ServiceCaller, now: datetime
) -> TokenSynced:
    wanted = TokenRow(
        name=sync.name,
        token_sha256=sync.token_sha256,
        scopes=sync.scopes,
        expires_at=sync.expires_at,
        revoked_at=now if sync.is_revoked else None,
        sync_version=sync.version,
    )
    values = {
        "token_sha256": sync.token_sha256,
        "scopes_json": sorted(sync.scopes),
        "expires_at": sync.expires_at,
        "revoked_at": wanted.revoked_at,
        "sync_version": sync.version,
    }
    if await service_tokens.add(connection, sync.name, values=values, now=now):
        return TokenSynced(wanted, SyncOutcome.CREATED)
    stored = await service_tokens.lock_by_name(connection, sync.name)
    assert stored is not None  # noqa: S101 - rows of this table are never deleted
    outcome = decide_sync(
        is_new=False, stored_version=stored.sync_version, sent_version=sync.version
    )
    if outcome is not SyncOutcome.UPDATED:
        return TokenSynced(stored, outcome)
    _check_change(stored, sync, caller)
    await service_tokens.change(connection, sync.name, values=values, now=now)
    return TokenSynced(wanted, outcome)


def _check_change(stored: TokenRow, sync: TokenSync, caller: ServiceCaller) -> None:
    # Else a small token could take over, or lock out, a bigger one.
    beyond = sorted(stored.scopes - caller.scopes)
    if beyond:
        raise RequestRefused(FailureCode.SERVICE_SCOPE_REQUIRED, details={"scope": beyond[0]})
    if (
        stored.revoked_at is not None
        and not sync.is_revoked
        and stored.token_sha256 == sync.token_sha256
    ):
        raise _refused("tokenSha256", "was revoked; make a new token")


def _refused(field: str, rule: str) -> RequestRefused:
    return RequestRefused(FailureCode.VALIDATION_FAILED, field_errors={field: rule})
