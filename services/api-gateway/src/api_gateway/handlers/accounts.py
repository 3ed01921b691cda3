"""Which billing account a request is about: two reads, one decision, no write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from api_gateway.decisions.entity_access import (
    Access,
    BillableEntity,
    Caller,
    Candidate,
    EntityType,
    decide_entity,
    permissions_of,
)
from api_gateway.decisions.selectors import (
    EntitySelector,
    NoSelector,
    Selector,
    WorkspaceSelector,
)
from api_gateway.handlers.rate_limits import RateLimiter
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.repository import accounts
from api_gateway.repository.accounts import AccountRow
from billing_common.domain.failure_codes import FailureCode
from billing_common.storage.transaction import Database, ReadConnection


class AccountResolver:
    """Answers with the entity, or refuses; who may not use an account does not use up its share."""

    def __init__(self, database: Database, limiter: RateLimiter) -> None:
        self._database = database
        self._limiter = limiter

    async def resolve(self, *, subject: str, selector: Selector, access: Access) -> BillableEntity:
        """The entity that `subject` (a token's) means and may use so, counted against its rate.

        Raises RequestRefused.
        """
        decided = await self._decide(subject, selector, access)
        if isinstance(decided, FailureCode):
            raise RequestRefused(decided)
        self._limiter.admit_to_account(decided.id, is_write=access is Access.WRITE)
        return decided

    async def is_readable(self, billable_entity_id: int, *, subject: str) -> bool:
        """Whether `subject` may see this account. Counts nothing: see `count_read`."""
        decided = await self._decide(subject, EntitySelector(billable_entity_id), Access.READ)
        return isinstance(decided, BillableEntity)

    def count_read(self, billable_entity_id: int) -> None:
        """One read of this account. Raises RequestRefused(rate_limited)."""
        self._limiter.admit_to_account(billable_entity_id, is_write=False)

    async def _decide(
        self, subject: str, selector: Selector, access: Access
    ) -> BillableEntity | FailureCode:
        async with self._database.read(name="resolve_account") as connection:
            user = await accounts.find_user(connection, subject)
            rows = [] if user is None else await _find(connection, user.id, selector)
        caller = Caller(user.id if user else None, is_active=user is not None and user.is_active)
        return decide_entity(
            caller=caller,
            selector=selector,
            candidates=[_candidate(row) for row in rows],
            access=access,
        )


async def _find(
    connection: ReadConnection, user_id: int, selector: Selector
) -> Sequence[AccountRow]:
    match selector:
        case EntitySelector(billable_entity_id):
            return await accounts.find_account_by_id(
                connection, user_id=user_id, billable_entity_id=billable_entity_id
            )
        case WorkspaceSelector(slug):
            return await accounts.find_account_by_slug(connection, user_id=user_id, slug=slug)
        case NoSelector():
            return await accounts.find_accounts_of(connection, user_id=user_id)
        case _:
            assert_never(selector)


def _candidate(row: AccountRow) -> Candidate:
    return Candidate(
        entity=BillableEntity(
            id=row.id,
            entity_type=EntityType(row.entity_type),
            workspace_slug=row.workspace_slug,
            is_active=row.is_active,
            created_at=row.created_at,
            updated_at=row.updated_at,
        ),
        is_owner=row.is_owner,
        role=row.role,
        role_permissions=permissions_of(row.role, stated=row.role_permissions),
        grants=row.grants,
    )
