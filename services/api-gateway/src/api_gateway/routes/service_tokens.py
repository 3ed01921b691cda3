"""/internal/v1/service-tokens: which services may call, with what, until when.

Whoever makes a token keeps it: only its SHA-256 comes here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from pydantic import AwareDatetime, Field

from api_gateway.decisions.directory_changes import SyncOutcome
from api_gateway.decisions.service_tokens import Scope
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.handlers.service_token_sync import ServiceTokenSync, TokenSync
from api_gateway.repository.service_tokens import TokenRow
from api_gateway.routes.directory import Version
from api_gateway.routes.outcomes import refusals, success
from api_gateway.routes.service_access import needs, service_of
from api_gateway.routes.wire import INTERNAL_PATH, RequestShape, Shape, WireTime
from billing_common.domain.failure_codes import FailureCode

SCOPES_MAX: Final = 50
YEAR_MIN: Final = 1970

Name = Annotated[str, Path(max_length=120, pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
Moment = Annotated[AwareDatetime, Field(strict=False)]


class TokenBody(RequestShape):
    """Revoking is final for this very token: a name that is to be valid again gets a new one."""

    token_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scopes: Annotated[list[Annotated[Scope, Field(strict=False)]], Field(max_length=SCOPES_MAX)]
    expires_at: Moment | None = None
    revoked: bool = False
    version: Version


class TokenShape(Shape):
    """What is stored now; never the token."""

    name: str
    scopes: list[str]
    expires_at: WireTime | None
    revoked_at: WireTime | None
    version: int


class TokenSyncedShape(TokenShape):
    """And what became of the request."""

    outcome: SyncOutcome


_EXAMPLE: Final = {
    "name": "usage-meter",
    "scopes": ["directory.read"],
    "expiresAt": "2027-11-22T00:00:00.000Z",
    "revokedAt": None,
    "version": 1,
}


def make_router(tokens: ServiceTokenSync) -> APIRouter:
    """The resource's routes."""
    router = APIRouter(prefix=INTERNAL_PATH)

    @router.put(
        "/service-tokens/{name}",
        response_model=TokenSyncedShape,
        responses={
            200: success(
                TokenSyncedShape,
                "What is stored now.",
                {"created": _EXAMPLE | {"outcome": "created"}},
            ),
            **refusals(FailureCode.SERVICE_SCOPE_REQUIRED),
        },
        openapi_extra=needs(Scope.SERVICE_TOKENS_WRITE),
    )
    async def put_service_token(name: Name, body: TokenBody, request: Request) -> TokenSyncedShape:
        """The token as it is at `version`. Nobody gives scopes that are not their own."""
        synced = await tokens.put(
            TokenSync(
                name=name,
                token_sha256=body.token_sha256,
                scopes=frozenset(scope.value for scope in body.scopes),
                expires_at=_storable(body.expires_at),
                is_revoked=body.revoked,
                version=body.version,
            ),
            caller=service_of(request),
        )
        return TokenSyncedShape(**_facts(synced.row), outcome=synced.outcome)

    @router.get(
        "/service-tokens/{name}",
        response_model=TokenShape,
        responses={
            200: success(TokenShape, "What is stored.", {"stored": _EXAMPLE}),
            **refusals(FailureCode.SERVICE_SCOPE_REQUIRED, FailureCode.NOT_FOUND),
        },
        openapi_extra=needs(Scope.SERVICE_TOKENS_READ),
    )
    async def read_service_token(name: Name) -> TokenShape:
        """What is stored under this name."""
        return TokenShape(**_facts(await tokens.read(name)))

    return router


def _facts(row: TokenRow) -> dict[str, object]:
    return {
        "name": row.name,
        "scopes": sorted(row.scopes),
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "version": row.sync_version,
    }


def _storable(moment: datetime | None) -> datetime | None:
    """In UTC, as precise as it is shown. Raises RequestRefused for a time beyond the calendar."""
    if moment is None:
        return None
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:
        utc = datetime.min.replace(tzinfo=UTC)
    if utc.year < YEAR_MIN:
        raise RequestRefused(
            FailureCode.VALIDATION_FAILED, field_errors={"expiresAt": "is beyond the calendar"}
        )
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)
