"""PUT /internal/v1/organizations and external-accounts: billed parties that are no workspace.

Who may act for one of them is stated by grants: `billing.read` sees, `billing.manage` also buys.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter
from pydantic import Field

from api_gateway.decisions.entity_access import EntityType
from api_gateway.decisions.service_tokens import Scope
from api_gateway.handlers.organization_sync import OrganizationDirectory, OrganizationSync
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.routes.directory import (
    MEMBERS_MAX,
    ExternalId,
    ExternalIdInPath,
    Status,
    SyncedShape,
    Version,
    synced_example,
    synced_shape,
)
from api_gateway.routes.outcomes import refusals, success
from api_gateway.routes.service_access import needs
from api_gateway.routes.wire import INTERNAL_PATH, RequestShape
from billing_common.domain.failure_codes import FailureCode

_DONE: Final = success(SyncedShape, "What is stored now.", synced_example("umbrella"))


class GrantBody(RequestShape):
    """A user and what the user may do; managing includes reading."""

    user_external_id: ExternalId
    permission: Literal["billing.read", "billing.manage"]


class OrganizationBody(RequestShape):
    """All of it: who is not in `grants` may nothing."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    status: Status
    version: Version
    grants: Annotated[list[GrantBody], Field(max_length=MEMBERS_MAX)]


def make_router(organizations: OrganizationDirectory) -> APIRouter:
    """The resource's routes."""
    router = APIRouter(prefix=INTERNAL_PATH)
    responses = {200: _DONE, **refusals(FailureCode.SERVICE_SCOPE_REQUIRED)}
    scope = needs(Scope.DIRECTORY_WRITE)

    async def put(kind: EntityType, external_id: str, body: OrganizationBody) -> SyncedShape:
        synced = await organizations.put(
            OrganizationSync(
                kind=kind,
                external_id=external_id,
                name=body.name,
                status=body.status,
                version=body.version,
                grants=_permissions(body.grants),
            )
        )
        return synced_shape(external_id, synced)

    @router.put(
        "/organizations/{externalId}",
        response_model=SyncedShape,
        responses=responses,
        openapi_extra=scope,
    )
    async def put_organization(
        external_id: ExternalIdInPath, body: OrganizationBody
    ) -> SyncedShape:
        """The organization as it is at `version`, its grants, and its billing account."""
        return await put(EntityType.ORGANIZATION, external_id, body)

    @router.put(
        "/external-accounts/{externalId}",
        response_model=SyncedShape,
        responses=responses,
        openapi_extra=scope,
    )
    async def put_external_account(
        external_id: ExternalIdInPath, body: OrganizationBody
    ) -> SyncedShape:
        """The external party as it is at `version`, its grants, and its billing account."""
        return await put(EntityType.EXTERNAL, external_id, body)

    return router


def _permissions(grants: list[GrantBody]) -> dict[str, str]:
    permissions = {grant.user_external_id: grant.permission for grant in grants}
    if len(permissions) != len(grants):
        raise RequestRefused(
            FailureCode.VALIDATION_FAILED, field_errors={"grants": "names a user twice"}
        )
    return dict(permissions)
