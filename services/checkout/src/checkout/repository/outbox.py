"""billing_outbox_jobs: work at the provider that must follow a commit; reconciler does it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from billing_common.domain.outbox_job import DEACTIVATE_PAYMENT_LINK, EXPIRE_CHECKOUT_SESSION
from billing_common.storage.insert_once import insert_once
from billing_common.storage.tables import billing_outbox_jobs
from billing_common.storage.transaction import WriteConnection

_ONE_PER_OBJECT: Final = "uq_billing_outbox_jobs_type_dedupe"


# What the job's payload calls the object.
_OBJECT_NAMES: Final = {
    EXPIRE_CHECKOUT_SESSION: "provider_checkout_session_id",
    DEACTIVATE_PAYMENT_LINK: "provider_payment_link_id",
}


async def queue_clean_up(
    connection: WriteConnection,
    *,
    billable_entity_id: int,
    operation_key: str,
    provider: str,
    job_type: str,
    provider_object_id: str,
    now: datetime,
) -> None:
    """Once per kind of job and object, however often it is asked for."""
    await insert_once(
        connection,
        billing_outbox_jobs,
        {
            "billable_entity_id": billable_entity_id,
            "operation_key": operation_key,
            "job_type": job_type,
            "dedupe_key": f"{provider}:{provider_object_id}",
            "payload_json": {
                "provider": provider,
                _OBJECT_NAMES[job_type]: provider_object_id,
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
        expected_conflicts=frozenset({_ONE_PER_OBJECT}),
    )
