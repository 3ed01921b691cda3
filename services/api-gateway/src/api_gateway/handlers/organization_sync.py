"""Organizations and external parties that are billed, and who may act for each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from api_gateway.decisions.directory_changes import SyncOutcome, decide_members, decide_sync
from api_gateway.decisions.entity_access import EntityType
from api_gateway.handlers.directory_sync import Synced
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.repository import directory, organizations
from billing_common.domain.failure_codes import FailureCode
from billing_common.storage.transaction import Database, WriteConnection

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationSync:
    """An organization (or external party) as the product has it at `version`.

    `grants`: permission by external user id; one permission each, managing includes reading.
    """

    kind: EntityType
    external_id: str
    name: str
    status: str
    version: int
    grants: Mapping[str, str]


class OrganizationDirectory:
    """PUT /internal/v1/organizations and external-accounts."""

    def __init__(self, *, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def put(self, sync: OrganizationSync) -> Synced:
        """Store it, its account and exactly its grants unless a newer version is stored.

        Raises RequestRefused(validation_failed) for users that were never synced.
        """
        now = self._clock()

        async def write(connection: WriteConnection) -> Synced:
            return await _put(connection, sync, now)

        synced = await self._database.write(write, name="sync_organization")
        log.info(
            "gateway.organization_synced",
            kind=sync.kind.value,
            outcome=synced.outcome.value,
            version=synced.version,
        )
        return synced


async def _put(connection: WriteConnection, sync: OrganizationSync, now: datetime) -> Synced:
    user_ids = await directory.find_user_ids(connection, list(sync.grants))
    unknown_count = sum(external_id not in user_ids for external_id in sync.grants)
    if unknown_count:
        raise RequestRefused(
            FailureCode.VALIDATION_FAILED,
            field_errors={"grants": f"{unknown_count} users are not known; sync them first"},
        )
    values = {"name": sync.name, "status": sync.status, "sync_version": sync.version}
    row = await organizations.claim(
        connection, kind=sync.kind.value, external_id=sync.external_id, values=values, now=now
    )
    outcome = decide_sync(
        is_new=row.is_new, stored_version=row.sync_version, sent_version=sync.version
    )
    entity_id = await directory.claim_entity(
        connection,
        entity_type=sync.kind.value,
        entity_ref=f"{sync.kind.value}:{row.id}",
        values={"status": sync.status},
        now=now,
    )
    if outcome is SyncOutcome.UPDATED:
        await organizations.change(connection, row.id, values=values, now=now)
        await directory.update_entity(
            connection, entity_id, values={"status": sync.status}, now=now
        )
    if outcome in (SyncOutcome.CREATED, SyncOutcome.UPDATED):
        wanted = {user_ids[external_id]: word for external_id, word in sync.grants.items()}
        stored = await organizations.find_grants(connection, entity_id)
        changes = decide_members(stored=stored, wanted=wanted)
        gone = [*changes.removed, *changes.changed]
        await organizations.remove_grants(connection, entity_id, gone)
        await organizations.add_grants(
            connection, entity_id, {**changes.added, **changes.changed}, now=now
        )
    return Synced(entity_id, max(row.sync_version, sync.version), outcome)
