"""The provider request, fixed once: canonical text, hash, provenance and deadlines.

Every retry sends exactly this text under the same key, so Stripe sees one request however often
it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from billing_common.domain.canonical_json import canonical_json, sha256_hex
from billing_common.domain.errors import PoisonError
from billing_common.domain.idempotency import FrozenRequest
from billing_common.domain.provider_metadata import ENTITY_ID, OPERATION_KEY, ROW_ID
from billing_common.domain.provider_objects import Provenance

SCHEMA_VERSION: Final = "stripe_checkout_session_create_params_v1"

# Stripe accepts an expiry of 30 minutes to 24 hours from its own now; clocks differ.
SESSION_LIFETIME: Final = timedelta(hours=24)
LIFETIME_MARGIN: Final = timedelta(minutes=10)
EXPIRY_DISTANCE_MIN: Final = timedelta(minutes=30)
SKEW_MARGIN: Final = timedelta(minutes=5)
# Stripe forgets an idempotency key after 24 hours; replaying later would create a second session.
REPLAY_WINDOW: Final = timedelta(hours=23)


class ReturnPathInvalid(PoisonError):  # noqa: N818 - exceptions are facts here
    """A path that could leave our own site. api-gateway refuses those; this command is damaged."""

    code = "return_path_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutIntent:
    """All that the frozen request is made of."""

    billable_entity_id: int
    idempotency_row_id: int
    operation_key: str
    provider_customer_id: str
    provider_price_id: str
    public_url: str
    success_path: str
    cancel_path: str


def freeze(intent: CheckoutIntent, *, provenance: Provenance, now: datetime) -> FrozenRequest:
    """Raises ReturnPathInvalid. `now` is the database's clock."""
    expires_at = (now + SESSION_LIFETIME - LIFETIME_MARGIN).replace(microsecond=0)
    text = canonical_json(_params(intent, expires_at))
    return FrozenRequest(
        params_json=text,
        params_hash=sha256_hex(text),
        schema_version=SCHEMA_VERSION,
        sdk_name=provenance.sdk_name,
        sdk_version=provenance.sdk_version,
        api_version=provenance.api_version,
        frozen_at=now,
        replay_deadline_at=min(now + REPLAY_WINDOW, expires_at - EXPIRY_DISTANCE_MIN - SKEW_MARGIN),
        session_expires_at_upper_bound=expires_at,
    )


def absolute_url(public_url: str, path: str) -> str:
    """`path` on our own site. Raises ReturnPathInvalid for what a browser could read otherwise."""
    if (
        not path.startswith("/")
        or path.startswith("//")
        or "\\" in path
        or not path.isascii()
        or not path.isprintable()
    ):
        raise ReturnPathInvalid("a return path starts with one slash and stays on our site")
    return public_url.rstrip("/") + path


def _params(intent: CheckoutIntent, expires_at: datetime) -> dict[str, Any]:
    metadata = {
        OPERATION_KEY: intent.operation_key,
        ENTITY_ID: str(intent.billable_entity_id),
        ROW_ID: str(intent.idempotency_row_id),
    }
    return {
        "mode": "subscription",
        "customer": intent.provider_customer_id,
        "client_reference_id": str(intent.billable_entity_id),
        "line_items": [{"price": intent.provider_price_id, "quantity": 1}],
        "success_url": absolute_url(intent.public_url, intent.success_path),
        "cancel_url": absolute_url(intent.public_url, intent.cancel_path),
        "expires_at": int(expires_at.timestamp()),
        "metadata": metadata,
        "subscription_data": {"metadata": metadata},
    }
