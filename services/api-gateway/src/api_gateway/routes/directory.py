"""PUT /internal/v1/...: the product's directory of users, workspaces and roles.

For other services only. Every call states the whole object and may be repeated.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from api_gateway.decisions.directory_changes import SyncOutcome
from api_gateway.decisions.service_tokens import Scope
from api_gateway.handlers.directory_sync import DirectorySync, Synced, UserSync, WorkspaceSync
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.routes.outcomes import refusals, success
from api_gateway.routes.service_access import needs
from api_gateway.routes.wire import INTERNAL_PATH, RequestShape, Shape, WireId
from billing_common.domain.failure_codes import FailureCode

MEMBERS_MAX: Final = 10_000
PERMISSIONS_MAX: Final = 100
_EXTERNAL_ID: Final = r"^[\x21-\x7e]+$"

ExternalId = Annotated[str, Field(min_length=1, max_length=255, pattern=_EXTERNAL_ID)]
ExternalIdInPath = Annotated[
    str, Path(alias="externalId", min_length=1, max_length=255, pattern=_EXTERNAL_ID)
]
Role = Annotated[str, Field(max_length=120, pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
Permission = Annotated[str, Field(max_length=120, pattern=r"^(\*|[a-z0-9][a-z0-9_.*-]*)$")]
Slug = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Version = Annotated[int, Field(ge=1, le=2**63 - 1)]
Status = Literal["active", "inactive"]


class UserBody(RequestShape):
    """`version` grows with every change of the user in the product."""

    display_name: Annotated[str, Field(max_length=255)] | None = None
    status: Status
    version: Version


class MemberBody(RequestShape):
    """A user and the role that the user has here."""

    user_external_id: ExternalId
    role: Role


class WorkspaceBody(RequestShape):
    """All of it: who is not in `members` is a member no more."""

    slug: Slug
    name: Annotated[str, Field(min_length=1, max_length=255)]
    owner_external_id: ExternalId
    status: Status
    version: Version
    members: Annotated[list[MemberBody], Field(max_length=MEMBERS_MAX)]


class RoleBody(RequestShape):
    """All permissions of the role; `*` is everything. The role `owner` has all anyway.

    Without a `version` this statement is newer than any before.
    """

    permissions: Annotated[list[Permission], Field(max_length=PERMISSIONS_MAX)]
    version: Version | None = None


class SyncedShape(Shape):
    """`outcome`: `unchanged` for a version that is stored, `stale` for an older one (ignored)."""

    external_id: str
    billable_entity_id: WireId
    version: int
    outcome: SyncOutcome


class RoleShape(Shape):
    """What is stored now."""

    role: str
    permissions: list[str]
    version: int
    outcome: SyncOutcome


_ROLE_EXAMPLE: Final = {
    "updated": {
        "role": "admin",
        "permissions": ["workspace.billing.manage"],
        "version": 2,
        "outcome": "updated",
    }
}


def synced_example(external_id: str) -> dict[str, dict[str, object]]:
    """One stored, one that came too late."""
    stored = {"externalId": external_id, "billableEntityId": "42", "version": 7}
    return {
        outcome.value: stored | {"outcome": outcome.value}
        for outcome in (SyncOutcome.CREATED, SyncOutcome.STALE)
    }


def make_router(sync: DirectorySync) -> APIRouter:
    """The resource's routes."""
    router = APIRouter(prefix=INTERNAL_PATH)
    errors = refusals(FailureCode.SERVICE_SCOPE_REQUIRED)
    scope = needs(Scope.DIRECTORY_WRITE)

    @router.put(
        "/users/{externalId}",
        response_model=SyncedShape,
        responses={
            200: success(SyncedShape, "What is stored now.", synced_example("ann")),
            **errors,
        },
        openapi_extra=scope,
    )
    async def put_user(external_id: ExternalIdInPath, body: UserBody) -> SyncedShape:
        """The user as it is at `version`, and its own billing account."""
        synced = await sync.put_user(
            UserSync(
                external_id=external_id,
                display_name=body.display_name,
                status=body.status,
                version=body.version,
            )
        )
        return synced_shape(external_id, synced)

    @router.put(
        "/workspaces/{externalId}",
        response_model=SyncedShape,
        responses={
            200: success(SyncedShape, "What is stored now.", synced_example("acme")),
            **errors,
        },
        openapi_extra=scope,
    )
    async def put_workspace(external_id: ExternalIdInPath, body: WorkspaceBody) -> SyncedShape:
        """The workspace as it is at `version`, its members, and its billing account."""
        synced = await sync.put_workspace(
            WorkspaceSync(
                external_id=external_id,
                slug=body.slug,
                name=body.name,
                owner_external_id=body.owner_external_id,
                status=body.status,
                version=body.version,
                members=_roles_by_member(body.members),
            )
        )
        return synced_shape(external_id, synced)

    @router.put(
        "/roles/{role}",
        response_model=RoleShape,
        responses={200: success(RoleShape, "What is stored now.", _ROLE_EXAMPLE), **errors},
        openapi_extra=scope,
    )
    async def put_role(
        role: Annotated[str, Path(max_length=120, pattern=r"^[a-z0-9][a-z0-9_.-]*$")],
        body: RoleBody,
    ) -> RoleShape:
        """What a role allows, from now on."""
        synced = await sync.put_role(role, sorted(set(body.permissions)), version=body.version)
        return RoleShape(
            role=role,
            permissions=list(synced.permissions),
            version=synced.version,
            outcome=synced.outcome,
        )

    return router


def _roles_by_member(members: list[MemberBody]) -> dict[str, str]:
    roles = {member.user_external_id: member.role for member in members}
    if len(roles) != len(members):
        raise RequestRefused(
            FailureCode.VALIDATION_FAILED, field_errors={"members": "names a user twice"}
        )
    return roles


def synced_shape(external_id: str, synced: Synced) -> SyncedShape:
    """As it is shown."""
    return SyncedShape(
        external_id=external_id,
        billable_entity_id=synced.billable_entity_id,
        version=synced.version,
        outcome=synced.outcome,
    )
