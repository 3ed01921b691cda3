from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api_gateway.decisions.entity_access import (
    Access,
    BillableEntity,
    Caller,
    Candidate,
    EntityType,
    decide_entity,
)
from api_gateway.decisions.selectors import (
    EntitySelector,
    MalformedSelector,
    NoSelector,
    WorkspaceSelector,
    decide_selector,
)
from billing_common.domain.failure_codes import FailureCode

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Caller(1, is_active=True)
READ, WRITE = Access.READ, Access.WRITE
FORBIDDEN = FailureCode.BILLING_ENTITY_FORBIDDEN
NO_PERMISSION = FailureCode.BILLING_PERMISSION_REQUIRED
AMBIGUOUS = FailureCode.WORKSPACE_SELECTION_REQUIRED


def candidate(
    entity_type: str = "workspace",
    *,
    entity_id: int = 1,
    is_active: bool = True,
    is_owner: bool = False,
    role: str | None = None,
    permissions: tuple[str, ...] = (),
    grants: tuple[str, ...] = (),
) -> Candidate:
    return Candidate(
        entity=BillableEntity(
            id=entity_id,
            entity_type=EntityType(entity_type),
            workspace_slug=None,
            is_active=is_active,
            created_at=T0,
            updated_at=T0,
        ),
        is_owner=is_owner,
        role=role,
        role_permissions=frozenset(permissions),
        grants=frozenset(grants),
    )


OWNED_USER = candidate("user", is_owner=True)
MANAGE = ("workspace.billing.manage",)


@pytest.mark.requirement("AUTH-04")
@pytest.mark.parametrize(
    ("chosen", "read", "write"),
    [
        (OWNED_USER, None, None),
        (candidate("user"), FORBIDDEN, FORBIDDEN),
        (candidate("user", role="owner", permissions=("*",)), FORBIDDEN, FORBIDDEN),
        (candidate("user", grants=("billing.manage",)), FORBIDDEN, FORBIDDEN),
        (candidate(is_owner=True), None, None),
        (candidate(role="owner"), None, None),
        (candidate(role="admin", permissions=MANAGE), None, None),
        (candidate(role="root", permissions=("*",)), None, None),
        (candidate(role="admin"), None, NO_PERMISSION),  # a role's name alone allows nothing
        (candidate(role="member", permissions=("workspace.read",)), None, NO_PERMISSION),
        (candidate(), FORBIDDEN, FORBIDDEN),
        (candidate(grants=("billing.manage",)), FORBIDDEN, FORBIDDEN),
        (candidate(is_owner=True, is_active=False), None, NO_PERMISSION),
        (candidate("user", is_owner=True, is_active=False), None, NO_PERMISSION),
        (candidate("organization", grants=("billing.read",)), None, NO_PERMISSION),
        (candidate("external", grants=("billing.manage",)), None, None),
        (candidate("external", is_owner=True, role="owner"), FORBIDDEN, FORBIDDEN),
        (candidate("external", grants=("other",)), FORBIDDEN, FORBIDDEN),
    ],
)
def test_who_may_do_what(
    chosen: Candidate, read: FailureCode | None, write: FailureCode | None
) -> None:
    for access, expected in ((READ, read), (WRITE, write)):
        for selector in (EntitySelector(1), WorkspaceSelector("acme")):
            decided = decide_entity(
                caller=ANN, selector=selector, candidates=[chosen], access=access
            )
            assert decided == (expected or chosen.entity)


@pytest.mark.requirement("AUTH-03")
@pytest.mark.parametrize("access", [READ, WRITE])
def test_without_a_selector_only_a_single_choice_will_do(access: Access) -> None:
    own = OWNED_USER
    closed = candidate(entity_id=2, is_owner=True, is_active=False)
    foreign = candidate(entity_id=3)
    open_workspace = candidate(entity_id=4, is_owner=True)

    def decide(*candidates: Candidate) -> BillableEntity | FailureCode:
        return decide_entity(
            caller=ANN, selector=NoSelector(), candidates=candidates, access=access
        )

    assert decide() is FORBIDDEN
    assert decide(own) == own.entity
    assert decide(own, closed, foreign) == own.entity
    assert decide(own, open_workspace) is AMBIGUOUS
    assert decide(closed) is FORBIDDEN


@pytest.mark.requirement("AUTH-03")
@pytest.mark.parametrize("caller", [Caller(None, is_active=False), Caller(1, is_active=False)])
def test_unknown_and_closed_users_may_nothing(caller: Caller) -> None:
    for access in Access:
        decided = decide_entity(
            caller=caller, selector=NoSelector(), candidates=[OWNED_USER], access=access
        )
        assert decided is FORBIDDEN


@pytest.mark.requirement("AUTH-03")
def test_the_order_of_selectors() -> None:
    def decide(*values: str | None) -> object:
        lists = [[] if value is None else [value] for value in values]
        return decide_selector(
            entity_headers=lists[0],
            entity_parameters=lists[1],
            workspace_headers=lists[2],
            workspace_parameters=lists[3],
        )

    assert decide("1", "2", "a", "b") == EntitySelector(1)
    assert decide(None, "2", "a", "b") == EntitySelector(2)
    assert decide(None, None, "a", "b") == WorkspaceSelector("a")
    assert decide(None, None, None, "b") == WorkspaceSelector("b")
    assert decide(None, None, None, None) == NoSelector()


@pytest.mark.parametrize(
    "value", ["", "0", "-1", "01", "1.0", "1e3", " 1", "\u0661", "9" * 20, "a"]
)
def test_entity_ids_that_are_none(value: str) -> None:
    decided = decide_selector(
        entity_headers=[value],
        entity_parameters=["1"],
        workspace_headers=["acme"],
        workspace_parameters=[],
    )
    assert isinstance(decided, MalformedSelector)
    assert list(decided.field_errors) == ["x-billable-entity-id"]


@pytest.mark.parametrize("value", ["", "a b", "../x", "-a", "\u00e9", "a" * 256, "a\n", "a/b"])
def test_slugs_that_are_none(value: str) -> None:
    decided = decide_selector(
        entity_headers=["1"],
        entity_parameters=[],
        workspace_headers=[],
        workspace_parameters=[value],
    )
    assert isinstance(decided, MalformedSelector)
    assert list(decided.field_errors) == ["workspaceSlug"]
