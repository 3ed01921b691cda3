"""What a token claims about people and workspaces, for products that sync no directory.

Strict: a claim that is not exactly of this form is no claim at all, and nothing is made of it.

    "holdfast": {"name": "Ann", "workspaces": [
        {"id": "w-1", "slug": "acme", "name": "Acme", "role": "owner"}]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

CLAIM: Final = "holdfast"
WORKSPACES_MAX: Final = 20
_EXTERNAL_ID: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", re.ASCII)
_ROLE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,119}", re.ASCII)
_NAME_LENGTH_MAX: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedWorkspace:
    """A workspace and the role that the token's user has in it."""

    external_id: str
    slug: str
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedPerson:
    """The token's user and workspaces. `issued_at_seconds`: whose claim is the newer one."""

    subject: str
    name: str | None
    workspaces: tuple[ClaimedWorkspace, ...]
    issued_at_seconds: int


def read_claims(subject: str, claims: Mapping[str, Any]) -> ClaimedPerson | None:
    """What a verified token claims, or None when it claims nothing in the right form."""
    claim, issued_at = claims.get(CLAIM), claims.get("iat")
    if isinstance(issued_at, bool) or not isinstance(issued_at, int | float):
        return None
    if not isinstance(claim, dict) or not claim.keys() <= {"name", "workspaces"}:
        return None
    name, workspaces = claim.get("name"), _workspaces(claim.get("workspaces", []))
    if workspaces is None or not (name is None or _is_name(name)):
        return None
    if not _EXTERNAL_ID.fullmatch(subject):
        return None
    return ClaimedPerson(
        subject=subject, name=name, workspaces=workspaces, issued_at_seconds=int(issued_at)
    )


def _workspaces(listed: Any) -> tuple[ClaimedWorkspace, ...] | None:
    if not isinstance(listed, list) or len(listed) > WORKSPACES_MAX:
        return None
    found = tuple(one for entry in listed if (one := _workspace(entry)) is not None)
    is_whole = len({one.external_id for one in found}) == len(listed)
    return found if is_whole else None


def _workspace(entry: Any) -> ClaimedWorkspace | None:
    if not isinstance(entry, dict) or entry.keys() != {"id", "slug", "name", "role"}:
        return None
    for field, pattern in (("id", _EXTERNAL_ID), ("slug", _SLUG), ("role", _ROLE)):
        if not isinstance(entry[field], str) or not pattern.fullmatch(entry[field]):
            return None
    if not _is_name(entry["name"]):
        return None
    return ClaimedWorkspace(
        external_id=entry["id"], slug=entry["slug"], name=entry["name"], role=entry["role"]
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= _NAME_LENGTH_MAX and value.isprintable()
