"""Our names inside the provider's metadata: written by checkout, read where events come in."""

from __future__ import annotations

from typing import Final

OPERATION_KEY: Final = "operation_key"
ENTITY_ID: Final = "billable_entity_id"
ROW_ID: Final = "idempotency_row_id"
