"""The parameters that every checkout session has in common, whatever it sells."""

from __future__ import annotations

from typing import Any, Final

from billing_common.domain.errors import BugError
from checkout.decisions.return_urls import ReturnPaths, absolute_url
from checkout.decisions.situation import Situation

SCHEMA_VERSION: Final = "stripe_checkout_session_create_params_v1"


def session_params(
    situation: Situation[ReturnPaths, Any],
) -> dict[str, Any]:
    """Raises ReturnPathInvalid. The customer exists before any session names it."""
    if situation.provider_customer_id is None:
        raise BugError("a checkout is prepared for a customer")
    names = situation.names
    return {
        "customer": situation.provider_customer_id,
        "client_reference_id": str(names.billable_entity_id),
        "success_url": absolute_url(situation.public_url, situation.payload.success_path),
        "cancel_url": absolute_url(situation.public_url, situation.payload.cancel_path),
        "expires_at": int(situation.deadlines.usable_until.timestamp()),
        "metadata": names.metadata(),
    }
