"""How a route learns which account it is about: the selectors of the request, resolved."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request

from api_gateway.decisions.entity_access import Access, BillableEntity
from api_gateway.decisions.selectors import (
    ENTITY_HEADER,
    ENTITY_PARAMETER,
    WORKSPACE_HEADER,
    WORKSPACE_PARAMETER,
    MalformedSelector,
    Selector,
    decide_selector,
)
from api_gateway.handlers.accounts import AccountResolver
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.routes.wire import BillableEntityShape
from billing_common.domain.failure_codes import FailureCode

_ENTITY_ID: Final = {"type": "string", "pattern": "^[1-9][0-9]{0,18}$"}
_SLUG: Final = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$"}


def _parameter(
    name: str, place: str, schema: dict[str, Any], example: str, description: str
) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": False,
        "description": description,
        "schema": schema,
        "example": example,
    }


# For OpenAPI. The values are read as a whole below: a selector sent twice is refused.
SELECTOR_PARAMETERS: Final = [
    _parameter(
        ENTITY_HEADER, "header", _ENTITY_ID, "42", "The billing account, by id. Wins over all."
    ),
    _parameter(ENTITY_PARAMETER, "query", _ENTITY_ID, "42", "The billing account, by id."),
    _parameter(
        WORKSPACE_HEADER, "header", _SLUG, "acme", "The workspace whose billing account is meant."
    ),
    _parameter(
        WORKSPACE_PARAMETER, "query", _SLUG, "acme", "The workspace whose billing account is meant."
    ),
]


EXAMPLE_ENTITY: Final = {
    "id": "42",
    "entityType": "workspace",
    "workspaceSlug": "acme",
    "status": "active",
    "createdAt": "2026-11-01T09:00:00.000Z",
    "updatedAt": "2026-11-01T09:00:00.000Z",
}


def subject_of(request: Request) -> str:
    """The signed-in user, as the boundary found it."""
    return str(request.state.subject)


def selector_of(request: Request) -> Selector:
    """What the caller named. Raises RequestRefused for what cannot be read."""
    decided = decide_selector(
        entity_headers=request.headers.getlist(ENTITY_HEADER),
        entity_parameters=request.query_params.getlist(ENTITY_PARAMETER),
        workspace_headers=request.headers.getlist(WORKSPACE_HEADER),
        workspace_parameters=request.query_params.getlist(WORKSPACE_PARAMETER),
    )
    if isinstance(decided, MalformedSelector):
        raise RequestRefused(FailureCode.VALIDATION_FAILED, field_errors=decided.field_errors)
    return decided


async def account_of(request: Request, resolver: AccountResolver, access: Access) -> BillableEntity:
    """The account that this request is about. Raises RequestRefused."""
    return await resolver.resolve(
        subject=subject_of(request), selector=selector_of(request), access=access
    )


def entity_shape(entity: BillableEntity) -> BillableEntityShape:
    """As it is shown."""
    return BillableEntityShape(
        id=entity.id,
        entity_type=entity.entity_type.value,
        workspace_slug=entity.workspace_slug,
        status="active" if entity.is_active else "inactive",
        created_at=entity.created_at,
        updated_at=entity.updated_at,
    )
