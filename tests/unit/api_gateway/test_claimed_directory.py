from __future__ import annotations

from typing import Any

import pytest

from api_gateway.decisions.claimed_directory import ClaimedWorkspace, read_claims

WORKSPACE = {"id": "w-1", "slug": "acme", "name": "Acme", "role": "owner"}


def claims(**claim: Any) -> dict[str, Any]:
    return {"iat": 1_700_000_000.5, "holdfast": claim}


def test_a_claim_of_the_right_form() -> None:
    person = read_claims("ann", claims(name="Ann", workspaces=[WORKSPACE]))
    assert person is not None
    assert (person.subject, person.name, person.issued_at_seconds) == ("ann", "Ann", 1_700_000_000)
    assert person.workspaces == (
        ClaimedWorkspace(external_id="w-1", slug="acme", name="Acme", role="owner"),
    )
    assert read_claims("ann", claims()) is not None


@pytest.mark.parametrize(
    ("subject", "claimed"),
    [
        ("ann", {}),
        ("ann", {"holdfast": {}}),  # whose claim is newer?
        ("ann", {"holdfast": {}, "iat": True}),
        ("ann", {"holdfast": [], "iat": 1}),
        ("an n", claims()),
        ("ann", claims(admin=True)),
        ("ann", claims(name="")),
        ("ann", claims(name=5)),
        ("ann", claims(name="A\nB")),
        ("ann", claims(name="A" * 256)),
        ("ann", claims(workspaces={})),
        ("ann", claims(workspaces=["w-1"])),
        ("ann", claims(workspaces=[WORKSPACE] * 2)),
        ("ann", claims(workspaces=[WORKSPACE | {"id": str(n)} for n in range(21)])),
        ("ann", claims(workspaces=[WORKSPACE | {"extra": 1}])),
        ("ann", claims(workspaces=[{k: v for k, v in WORKSPACE.items() if k != "role"}])),
        ("ann", claims(workspaces=[WORKSPACE | {"slug": "../x"}])),
        ("ann", claims(workspaces=[WORKSPACE | {"role": "Owner"}])),
        ("ann", claims(workspaces=[WORKSPACE | {"id": ""}])),
        ("ann", claims(workspaces=[WORKSPACE | {"id": 1}])),
        ("ann", claims(workspaces=[WORKSPACE | {"name": None}])),
    ],
)
def test_anything_else_is_no_claim(subject: str, claimed: dict[str, Any]) -> None:
    assert read_claims(subject, claimed) is None
