"""The body of a successful subscription checkout: one form, whoever finishes the operation.

checkout writes it in Tx B; projection writes it when Stripe's event proves the session first.
"""

from __future__ import annotations

from datetime import UTC, datetime

from billing_common.domain.canonical_json import canonical_json
from billing_common.domain.checkout_session import SessionFlow, SessionStatus

HTTP_STATUS = 200


def checkout_response_body(
    *,
    billable_entity_id: int,
    operation_key: str,
    flow: SessionFlow,
    session_status: SessionStatus,
    checkout_url: str | None,
    expires_at: datetime | None,
) -> str:
    """The JSON text, stored once and replayed byte for byte. Provider ids stay inside."""
    return canonical_json(
        {
            "billableEntityId": str(billable_entity_id),
            "operationKey": operation_key,
            "checkoutType": flow.value,
            "checkoutSession": {
                "status": session_status.value,
                "checkoutUrl": checkout_url,
                "expiresAt": wire_time(expires_at),
            },
        }
    )


def wire_time(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with Z, milliseconds; None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
