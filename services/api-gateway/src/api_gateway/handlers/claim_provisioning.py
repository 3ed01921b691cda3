"""Makes the user and the workspaces that a token claims. Off unless a setting turns it on.

It only adds, and only where the product has not spoken: what was ever synced (version 1 and up) is
left as it is, so that an old token brings back no member who was removed. Its own transaction,
before the request proper; a person that was seen lately costs no query.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from api_gateway.decisions.access_tokens import Identity
from api_gateway.decisions.claimed_directory import ClaimedPerson, ClaimedWorkspace, read_claims
from api_gateway.decisions.entity_access import OWNER_ROLE, EntityType
from api_gateway.repository import directory
from api_gateway.repository.directory import SlugTaken
from billing_common.storage.transaction import Database, WriteConnection

log = structlog.get_logger()

# Below every version that a sync can state.
CLAIMED_VERSION: Final = 0
SEEN_MAX: Final = 10_000


class ClaimProvisioner:
    """One per process."""

    def __init__(self, *, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._seen: OrderedDict[ClaimedPerson, None] = OrderedDict()

    async def provision(self, identity: Identity) -> None:
        """Whatever the token claims and nobody has stated exists afterwards.

        Raises DatabaseUnavailable.
        """
        person = read_claims(identity.subject, identity.claims)
        if person is None or person in self._seen:
            return
        now = self._clock()

        async def write(connection: WriteConnection) -> int:
            return await _provision(connection, person, now)

        made = await self._database.write(write, name="provision_from_claims")
        if made:
            log.info("gateway.provisioned", count=made)
        self._seen[person] = None
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)


async def _provision(connection: WriteConnection, person: ClaimedPerson, now: datetime) -> int:
    values = {"display_name": person.name, "status": "active", "sync_version": CLAIMED_VERSION}
    user = await directory.claim_user(
        connection, external_id=person.subject, values=values, now=now
    )
    made = int(user.is_new)
    if user.is_new:
        await directory.claim_entity(
            connection,
            entity_type=EntityType.USER.value,
            entity_ref=f"user:{user.id}",
            values={"owner_user_id": user.id, "status": "active"},
            now=now,
        )
    for workspace in sorted(person.workspaces, key=lambda one: one.external_id):
        made += await _add_to_workspace(connection, workspace, user.id, person, now)
    return made


async def _add_to_workspace(
    connection: WriteConnection,
    claimed: ClaimedWorkspace,
    user_id: int,
    person: ClaimedPerson,
    now: datetime,
) -> int:
    stored = await directory.lock_workspace(connection, claimed.external_id)
    if stored is None:
        if claimed.role != OWNER_ROLE:
            return 0  # its owner's token makes it
        values = {
            "slug": claimed.slug,
            "name": claimed.name,
            "owner_user_id": user_id,
            "status": "active",
            "sync_version": CLAIMED_VERSION,
        }
        try:
            stored = await directory.claim_workspace(
                connection, external_id=claimed.external_id, values=values, now=now
            )
        except SlugTaken:
            log.warning("gateway.claimed_slug_taken")
            return 0
        await directory.claim_entity(
            connection,
            entity_type=EntityType.WORKSPACE.value,
            entity_ref=f"workspace:{stored.id}",
            values={"workspace_id": stored.id, "owner_user_id": user_id, "status": "active"},
            now=now,
        )
    if stored.sync_version > CLAIMED_VERSION:
        return 0
    members = await directory.find_members(connection, stored.id)
    if user_id in members:
        return 0
    role = {user_id: claimed.role}
    await directory.add_members(
        connection, stored.id, role, sync_version=person.issued_at_seconds, now=now
    )
    return 1
