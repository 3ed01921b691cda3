"""Which service calls an internal route, and whether its token allows that route.

A route states its scope with `needs(...)`. One that states none is closed to everybody, so that a
route added later cannot forget to.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request

from api_gateway.decisions.service_tokens import Scope, ServiceCaller
from api_gateway.handlers.refusals import RequestRefused
from billing_common.domain.failure_codes import FailureCode

SCOPE_MEMBER: Final = "x-required-scope"


def needs(scope: Scope) -> dict[str, Any]:
    """What an internal route gives as its `openapi_extra`: the scope is enforced and documented."""
    return {SCOPE_MEMBER: scope.value}


def service_of(request: Request) -> ServiceCaller:
    """The calling service, as the boundary found it."""
    found = request.state.service
    assert isinstance(found, ServiceCaller)  # noqa: S101 - the boundary closes the whole prefix
    return found


async def require_scope(request: Request) -> None:
    """A dependency of the internal router. Raises RequestRefused(service_scope_required)."""
    stated = getattr(request.scope.get("route"), "openapi_extra", None) or {}
    scope = stated.get(SCOPE_MEMBER)
    if scope is None or not service_of(request).may(Scope(scope)):
        raise RequestRefused(
            FailureCode.SERVICE_SCOPE_REQUIRED, details={"scope": scope or "none can"}
        )
