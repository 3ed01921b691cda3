"""PUT /internal/v1/...: the product's directory of users, workspaces and roles.

For other services only. Every call states the whole object and may be repeated.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from api_gateway.handlers.directory_sync import DirectorySync, Synced, UserSync, WorkspaceSync
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.routes.wire import INTERNAL_PATH, RequestShape, Shape, WireId, problem_responses
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
    """All permissions of the role; `*` is everything. The role `owner` has all anyway."""

    permissions: Annotated[list[Permission], Field(max_length=PERMISSIONS_MAX)]


class SyncedShape(Shape):
    """`outcome`: `unchanged` for a version that is stored, `stale` for an older one (ignored)."""

    external_id: str
    billable_entity_id: WireId
    version: int
    outcome: Literal["created", "updated", "unchanged", "stale"]


class RoleShape(Shape):
    """What is stored now."""

    role: str
    permissions: list[str]


def make_router(sync: DirectorySync) -> APIRouter:
    """The resource's routes."""
    router = APIRouter(prefix=INTERNAL_PATH)
    errors = problem_responses(400, 401, 413, 503)

    @router.put("/users/{externalId}", response_model=SyncedShape, responses=errors)
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
        return _shape(external_id, synced)

    @router.put("/workspaces/{externalId}", response_model=SyncedShape, responses=errors)
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
        return _shape(external_id, synced)

    @router.put("/roles/{role}", response_model=RoleShape, responses=errors)
    async def put_role(
        role: Annotated[str, Path(max_length=120, pattern=r"^[a-z0-9][a-z0-9_.-]*$")],
        body: RoleBody,
    ) -> RoleShape:
        """What a role allows, from now on."""
        permissions = sorted(set(body.permissions))
        await sync.put_role(role, permissions)
        return RoleShape(role=role, permissions=permissions)

    return router


def _roles_by_member(members: list[MemberBody]) -> dict[str, str]:
    roles = {member.user_external_id: member.role for member in members}
    if len(roles) != len(members):
        raise RequestRefused(
            FailureCode.VALIDATION_FAILED, field_errors={"members": "names a user twice"}
        )
    return roles


def _shape(external_id: str, synced: Synced) -> SyncedShape:
    return SyncedShape(
        external_id=external_id,
        billable_entity_id=synced.billable_entity_id,
        version=synced.version,
        outcome=synced.outcome.value,
    )
