"""billing_outbox_jobs: work at the provider that must follow a commit; reconciler does it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from billing_common.storage.insert_once import insert_once
from billing_common.storage.tables import billing_outbox_jobs
from billing_common.storage.transaction import WriteConnection

EXPIRE_CHECKOUT_SESSION: Final = "expire_checkout_session"
_ONE_PER_SESSION: Final = "uq_billing_outbox_jobs_type_dedupe"


async def queue_session_expiry(
    connection: WriteConnection,
    *,
    billable_entity_id: int,
    operation_key: str,
    provider: str,
    provider_session_id: str,
    now: datetime,
) -> None:
    """Once per session, however often it is asked for."""
    await insert_once(
        connection,
        billing_outbox_jobs,
        {
            "billable_entity_id": billable_entity_id,
            "operation_key": operation_key,
            "job_type": EXPIRE_CHECKOUT_SESSION,
            "dedupe_key": f"{provider}:{provider_session_id}",
            "payload_json": {
                "provider": provider,
                "provider_checkout_session_id": provider_session_id,
                "billable_entity_id": billable_entity_id,
                "operation_key": operation_key,
            },
            "status": "pending",
            "available_at": now,
            "attempt_count": 0,
            "lease_version": 1,
            "created_at": now,
            "updated_at": now,
        },
        expected_conflicts=frozenset({_ONE_PER_SESSION}),
    )
