"""The watermark pair of a row: both columns or neither."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from billing_common.domain.ordering import Watermark


def watermark_from_row(row: Row[*tuple[Any, ...]]) -> Watermark | None:
    """None when no provider event was folded into the row yet."""
    if row.last_provider_event_created_at is None or row.last_provider_event_id is None:
        return None
    return Watermark(row.last_provider_event_created_at, row.last_provider_event_id)


def watermark_values(watermark: Watermark | None) -> dict[str, Any]:
    """The two columns."""
    return {
        "last_provider_event_created_at": watermark.event_created_at if watermark else None,
        "last_provider_event_id": watermark.event_id if watermark else None,
    }
