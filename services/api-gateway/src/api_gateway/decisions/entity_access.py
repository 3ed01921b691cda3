"""May this caller use this billing account, and which one is it?

Unknown and foreign are one answer, so that nobody learns which accounts exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from api_gateway.decisions.selectors import NoSelector, Selector
from billing_common.domain.failure_codes import FailureCode

MANAGE_PERMISSION: Final = "workspace.billing.manage"
EVERYTHING_PERMISSION: Final = "*"
OWNER_ROLE: Final = "owner"
# What roles allow until the product states otherwise, so that a fresh system can be used.
BUILT_IN_ROLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        OWNER_ROLE: frozenset({EVERYTHING_PERMISSION}),
        "admin": frozenset({MANAGE_PERMISSION}),
    }
)
# Grants on organization and external entities; managing includes reading.
GRANT_READ: Final = "billing.read"
GRANT_MANAGE: Final = "billing.manage"


class Access(StrEnum):
    """What the request wants to do."""

    READ = "read"
    WRITE = "write"


class EntityType(StrEnum):
    """Who is billed."""

    WORKSPACE = "workspace"
    USER = "user"
    ORGANIZATION = "organization"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillableEntity:
    """One row of billable_entities, with its workspace's slug."""

    id: int
    entity_type: EntityType
    workspace_slug: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An entity and how the caller stands to it. `role` is the caller's in its workspace."""

    entity: BillableEntity
    is_owner: bool
    role: str | None
    role_permissions: frozenset[str]
    grants: frozenset[str]


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in user as the directory knows it. `user_id` is None when it does not."""

    user_id: int | None
    is_active: bool


def permissions_of(role: str | None, *, stated: frozenset[str] | None) -> frozenset[str]:
    """What a role allows. `stated`: by the product, also nothing; None when it said nothing."""
    if role is None:
        return frozenset()
    return BUILT_IN_ROLES.get(role, frozenset()) if stated is None else stated


def decide_entity(
    *, caller: Caller, selector: Selector, candidates: Sequence[Candidate], access: Access
) -> BillableEntity | FailureCode:
    """The entity to use, or why not.

    `candidates` are the entities that match the selector, or without one all that the caller
    has any relation to.
    """
    if caller.user_id is None or not caller.is_active:
        return FailureCode.BILLING_ENTITY_FORBIDDEN
    readable = [candidate for candidate in candidates if _may_read(candidate)]
    if isinstance(selector, NoSelector):
        # A closed account is no choice that anybody would mean without naming it.
        readable = [candidate for candidate in readable if candidate.entity.is_active]
    if not readable:
        return FailureCode.BILLING_ENTITY_FORBIDDEN
    if len(readable) > 1:
        return FailureCode.WORKSPACE_SELECTION_REQUIRED
    [chosen] = readable
    if access is Access.WRITE and not _may_write(chosen):
        return FailureCode.BILLING_PERMISSION_REQUIRED
    return chosen.entity


def _may_read(candidate: Candidate) -> bool:
    match candidate.entity.entity_type:
        case EntityType.USER:
            return candidate.is_owner
        case EntityType.WORKSPACE:
            return candidate.is_owner or candidate.role is not None
        case EntityType.ORGANIZATION | EntityType.EXTERNAL:
            return not candidate.grants.isdisjoint({GRANT_READ, GRANT_MANAGE})


def _may_write(candidate: Candidate) -> bool:
    if not candidate.entity.is_active:
        return False
    match candidate.entity.entity_type:
        case EntityType.USER:
            return candidate.is_owner
        case EntityType.WORKSPACE:
            allowing = {MANAGE_PERMISSION, EVERYTHING_PERMISSION}
            return (
                candidate.is_owner
                or candidate.role == OWNER_ROLE
                or not candidate.role_permissions.isdisjoint(allowing)
            )
        case EntityType.ORGANIZATION | EntityType.EXTERNAL:
            return GRANT_MANAGE in candidate.grants
