"""The product tells who its users and workspaces are; each gets its billable entity at once.

A sync is one transaction, may be repeated, and changes nothing when a newer one was there first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from api_gateway.decisions.directory_changes import SyncOutcome, decide_members, decide_sync
from api_gateway.decisions.entity_access import EntityType
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.repository import directory
from api_gateway.repository.directory import SlugTaken
from billing_common.domain.failure_codes import FailureCode
from billing_common.storage.transaction import Database, WriteConnection

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSync:
    """A user as the product has it at `version`."""

    external_id: str
    display_name: str | None
    status: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSync:
    """A workspace as the product has it at `version`. `members`: role by external user id."""

    external_id: str
    slug: str
    name: str
    owner_external_id: str
    status: str
    version: int
    members: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Synced:
    """`version` is what is stored now."""

    billable_entity_id: int
    version: int
    outcome: SyncOutcome


@dataclass(frozen=True, slots=True)
class RoleSynced:
    """What is stored now."""

    permissions: Sequence[str]
    version: int
    outcome: SyncOutcome


class DirectorySync:
    """PUT /internal/v1/users, workspaces and roles."""

    def __init__(self, *, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def put_user(self, sync: UserSync) -> Synced:
        """Store the user unless a newer version is stored."""
        now = self._clock()

        async def write(connection: WriteConnection) -> Synced:
            return await _put_user(connection, sync, now)

        synced = await self._database.write(write, name="sync_user")
        log.info("gateway.user_synced", outcome=synced.outcome.value, version=synced.version)
        return synced

    async def put_workspace(self, sync: WorkspaceSync) -> Synced:
        """Store the workspace and exactly its members unless a newer version is stored.

        Raises RequestRefused(validation_failed) for users that were never synced or a slug that
        another workspace has.
        """
        now = self._clock()

        async def write(connection: WriteConnection) -> Synced:
            return await _put_workspace(connection, sync, now)

        try:
            synced = await self._database.write(write, name="sync_workspace")
        except SlugTaken:
            raise RequestRefused(
                FailureCode.VALIDATION_FAILED,
                field_errors={"slug": "is another workspace's; sync that one first"},
            ) from None
        log.info("gateway.workspace_synced", outcome=synced.outcome.value, version=synced.version)
        return synced

    async def put_role(
        self, role: str, permissions: Sequence[str], *, version: int | None
    ) -> RoleSynced:
        """The role allows exactly these permissions, unless a newer version is stored.

        Without a version this statement is newer than any before.
        """
        now = self._clock()

        async def write(connection: WriteConnection) -> RoleSynced:
            return await _put_role(connection, role, permissions, version=version, now=now)

        synced = await self._database.write(write, name="sync_role")
        log.info("gateway.role_synced", name=role, outcome=synced.outcome.value)
        return synced


async def _put_role(
    connection: WriteConnection,
    role: str,
    permissions: Sequence[str],
    *,
    version: int | None,
    now: datetime,
) -> RoleSynced:
    stored_version = await directory.claim_role(connection, role, version=version, now=now)
    wanted_version = (stored_version or 0) + 1 if version is None else version
    outcome = decide_sync(
        is_new=stored_version is None,
        stored_version=stored_version or 0,
        sent_version=wanted_version,
    )
    if outcome in (SyncOutcome.UNCHANGED, SyncOutcome.STALE):
        stored = await directory.find_permissions(connection, role)
        return RoleSynced(stored, stored_version or 0, outcome)
    if outcome is SyncOutcome.UPDATED:
        await directory.change_role_version(connection, role, wanted_version, now=now)
    await directory.replace_permissions(connection, role, permissions, now=now)
    return RoleSynced(list(permissions), wanted_version, outcome)


async def _put_user(connection: WriteConnection, sync: UserSync, now: datetime) -> Synced:
    values = {
        "display_name": sync.display_name,
        "status": sync.status,
        "sync_version": sync.version,
    }
    row = await directory.claim_user(
        connection, external_id=sync.external_id, values=values, now=now
    )
    outcome = decide_sync(
        is_new=row.is_new, stored_version=row.sync_version, sent_version=sync.version
    )
    entity_values = {"owner_user_id": row.id, "status": sync.status}
    entity_id = await directory.claim_entity(
        connection,
        entity_type=EntityType.USER.value,
        entity_ref=f"user:{row.id}",
        values=entity_values,
        now=now,
    )
    if outcome is SyncOutcome.UPDATED:
        await directory.update_user(connection, row.id, values=values, now=now)
        await directory.update_entity(connection, entity_id, values=entity_values, now=now)
    return Synced(entity_id, max(row.sync_version, sync.version), outcome)


async def _put_workspace(connection: WriteConnection, sync: WorkspaceSync, now: datetime) -> Synced:
    user_ids = await _known_users(connection, sync)
    owner_user_id = user_ids[sync.owner_external_id]
    values = {
        "slug": sync.slug,
        "name": sync.name,
        "owner_user_id": owner_user_id,
        "status": sync.status,
        "sync_version": sync.version,
    }
    row = await directory.claim_workspace(
        connection, external_id=sync.external_id, values=values, now=now
    )
    outcome = decide_sync(
        is_new=row.is_new, stored_version=row.sync_version, sent_version=sync.version
    )
    if outcome is SyncOutcome.UPDATED:
        await directory.update_workspace(connection, row.id, values=values, now=now)
    if outcome in (SyncOutcome.CREATED, SyncOutcome.UPDATED):
        wanted = {user_ids[external_id]: role for external_id, role in sync.members.items()}
        await _replace_members(connection, row.id, wanted, version=sync.version, now=now)
    entity_values = {
        "workspace_id": row.id,
        "owner_user_id": owner_user_id,
        "status": sync.status,
    }
    entity_id = await directory.claim_entity(
        connection,
        entity_type=EntityType.WORKSPACE.value,
        entity_ref=f"workspace:{row.id}",
        values=entity_values,
        now=now,
    )
    if outcome is SyncOutcome.UPDATED:
        await directory.update_entity(connection, entity_id, values=entity_values, now=now)
    return Synced(entity_id, max(row.sync_version, sync.version), outcome)


async def _known_users(connection: WriteConnection, sync: WorkspaceSync) -> dict[str, int]:
    user_ids = await directory.find_user_ids(connection, [sync.owner_external_id, *sync.members])
    errors: dict[str, str] = {}
    if sync.owner_external_id not in user_ids:
        errors["ownerExternalId"] = "is not known; sync the user first"
    unknown_count = sum(external_id not in user_ids for external_id in sync.members)
    if unknown_count:
        errors["members"] = f"{unknown_count} of them are not known; sync the users first"
    if errors:
        raise RequestRefused(FailureCode.VALIDATION_FAILED, field_errors=errors)
    return user_ids


async def _replace_members(
    connection: WriteConnection,
    workspace_id: int,
    wanted: Mapping[int, str],
    *,
    version: int,
    now: datetime,
) -> None:
    stored = await directory.find_members(connection, workspace_id)
    changes = decide_members(stored=stored, wanted=wanted)
    await directory.remove_members(connection, workspace_id, changes.removed)
    await directory.add_members(
        connection, workspace_id, changes.added, sync_version=version, now=now
    )
    for user_id, role in changes.changed.items():
        await directory.change_member_role(
            connection, workspace_id, user_id, role, sync_version=version, now=now
        )
