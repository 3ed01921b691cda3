"""The provider request, fixed once: canonical text, hash, provenance and deadlines.

Every retry sends exactly this text under the same key, so Stripe sees one request however often
it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing_common.domain.canonical_json import canonical_json, sha256_hex
from billing_common.domain.idempotency import FrozenRequest
from billing_common.domain.provider_objects import Provenance
from checkout.decisions.deadlines import Deadlines


def freeze(
    params: Mapping[str, Any],
    *,
    schema_version: str,
    provenance: Provenance,
    deadlines: Deadlines,
    now: datetime,
) -> FrozenRequest:
    """`now` is the database's clock, and the one that the deadlines were counted from."""
    text = canonical_json(dict(params))
    return FrozenRequest(
        params_json=text,
        params_hash=sha256_hex(text),
        schema_version=schema_version,
        sdk_name=provenance.sdk_name,
        sdk_version=provenance.sdk_version,
        api_version=provenance.api_version,
        frozen_at=now,
        replay_deadline_at=deadlines.replay_at,
        session_expires_at_upper_bound=deadlines.usable_until,
    )
