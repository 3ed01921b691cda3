"""What a directory sync changes: nothing when it is not newer, and no member more than needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class SyncOutcome(StrEnum):
    """What became of a sync; the last two changed nothing."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"  # this version is stored already
    STALE = "stale"  # a newer version is stored


def decide_sync(*, is_new: bool, stored_version: int, sent_version: int) -> SyncOutcome:
    """Versions grow; a version says the same whenever it is sent."""
    if is_new:
        return SyncOutcome.CREATED
    if sent_version > stored_version:
        return SyncOutcome.UPDATED
    return SyncOutcome.UNCHANGED if sent_version == stored_version else SyncOutcome.STALE


@dataclass(frozen=True, slots=True)
class MemberChanges:
    """Roles by user id, and who goes."""

    added: Mapping[int, str]
    changed: Mapping[int, str]
    removed: tuple[int, ...]


def decide_members(*, stored: Mapping[int, str], wanted: Mapping[int, str]) -> MemberChanges:
    """Applying the changes to `stored` gives `wanted`."""
    return MemberChanges(
        added={user: role for user, role in wanted.items() if user not in stored},
        changed={user: role for user, role in wanted.items() if stored.get(user, role) != role},
        removed=tuple(sorted(stored.keys() - wanted.keys())),
    )
