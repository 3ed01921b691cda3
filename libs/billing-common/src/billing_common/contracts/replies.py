"""Replies: what checkout answers. Topic billing.replies.v1, key = operation key."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from billing_common.contracts.envelope import Message


class Reply(Message):
    """`body` is the exact UTF-8 text the client gets; stored and replayed byte for byte.

    `is_replay` is true when the body was stored by an earlier request with the same key.
    `retry_after_seconds` becomes the Retry-After header.
    """

    schema_version: Literal[1] = 1
    command_id: UUID
    operation_key: str
    billable_entity_id: int
    http_status: int
    body: str
    is_replay: bool = False
    retry_after_seconds: int | None = None
