"""The entrypoint's own work: what is a command, and who waits for its answer."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from tests.unit.checkout.builders import NOW

from billing_common.contracts.commands import (
    REPLY_PARTITION_HEADER,
    Actor,
    Command,
    RecoverOperation,
)
from billing_common.messaging.records import Record
from checkout.subscribers import CommandMalformed, parse_command, reply_partition

COMMAND = Command(
    command_id=uuid4(),
    operation_key="a" * 64,
    billable_entity_id=42,
    actor=Actor(kind="service", id="reconciler"),
    request_id="req_1",
    issued_at=NOW,
    deadline_at=NOW + timedelta(days=1),
    payload=RecoverOperation(idempotency_row_id=7),
)


def record(
    value: bytes | None = COMMAND.to_bytes(),
    *,
    key: bytes | None = b"42",
    reply_to: bytes | None = None,
) -> Record:
    headers = ((REPLY_PARTITION_HEADER, reply_to),)
    return Record("billing.commands.v1", 0, 0, key, value, headers, 0)


def test_a_command_is_read_as_it_was_written() -> None:
    assert parse_command(record()) == COMMAND


@pytest.mark.parametrize(
    "broken",
    [
        record(None),
        record(b""),
        record(b"\xff"),
        record(b"[]"),
        record(COMMAND.to_bytes().replace(b'"schema_version":1', b'"schema_version":2')),
        record(COMMAND.to_bytes().replace(b"recover_operation", b"drop_everything")),
        record(key=b"41"),
        record(key=None),
    ],
)
def test_what_is_no_command_is_malformed(broken: Record) -> None:
    with pytest.raises(CommandMalformed):
        parse_command(broken)


@pytest.mark.parametrize(
    ("header", "partition"),
    [(None, None), (b"0", 0), (b"11", 11), (b"", None), (b"-1", None), (b"1 ", None),
     (b"\xff", None), ("٣".encode(), None), (b"999999999", None)],
)  # fmt: skip
def test_the_reply_goes_where_the_header_says(header: bytes | None, partition: int | None) -> None:
    assert reply_partition(record(reply_to=header)) == partition
