"""Addresses at which anybody who has them can pay once.

Written by checkout (made, withdrawn). What was paid, or withdrawn elsewhere, is not projected yet:
such a row stays `active`, and only the provider knows.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, Table, UniqueConstraint

from billing_common.storage.tables.columns import (
    created_and_updated,
    exact,
    external_id,
    identity,
    metadata_json,
    moment,
    operation_key,
    provider,
    restrict,
    row_reference,
    set_null,
    watermark,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import word_of

URL_BYTES: Final = 2048
PAYMENT_LINK_STATUSES: Final = ("active", "completed", "inactive")

billing_payment_links: Final = Table(
    "billing_payment_links",
    metadata,
    identity(),
    row_reference("billable_entity_id"),
    provider(),
    external_id("provider_payment_link_id"),
    row_reference("idempotency_row_id", nullable=True),
    operation_key(nullable=False),
    Column("status", word_of(*PAYMENT_LINK_STATUSES), nullable=False),
    exact("url", URL_BYTES),
    moment("completed_at"),
    moment("deactivated_at"),
    *watermark(),
    metadata_json(),
    *created_and_updated(),
    UniqueConstraint("provider", "provider_payment_link_id", name="provider_link"),
    UniqueConstraint("provider", "operation_key", name="provider_operation"),
    UniqueConstraint("idempotency_row_id", name="idempotency_row"),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    # The intent is purged before its link; the link stays.
    set_null("idempotency_row", "idempotency_row_id", "billing_request_idempotency"),
    Index("entity_status", "billable_entity_id", "status"),
    **TABLE_OPTIONS,
)
