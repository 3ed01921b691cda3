"""Sends a command and waits for its reply: durable when sent, heard when in time."""

from __future__ import annotations

import hashlib
from typing import Final

import structlog
from pydantic import ValidationError

from billing_common.contracts.commands import REPLY_PARTITION_HEADER, Command
from billing_common.contracts.replies import Reply
from billing_common.contracts.topics import REPLIES
from billing_common.messaging.errors import BrokerUnavailable
from billing_common.messaging.producer import DurableProducer
from billing_common.messaging.records import Record
from billing_common.messaging.replies import ReplyInbox

log = structlog.get_logger()

SEND_TIMEOUT_SECONDS: Final = 5.0
TRACEPARENT_HEADER: Final = "traceparent"


def reply_partition(replica_name: str) -> int:
    """The partition of billing.replies.v1 that this replica reads, the same after a restart.

    Two replicas on one partition each see the other's replies and drop them: correct, only idle.
    """
    digest = hashlib.sha256(replica_name.encode()).digest()
    return int.from_bytes(digest[:8], "big") % REPLIES.partitions


def command_id_of(record: Record) -> str | None:
    """Replies find their waiter by command, not by operation: two requests with one key but
    different bodies must not hear each other's answer."""
    if record.value is None:
        return None
    reply: Reply = Reply.from_bytes(record.value)
    return str(reply.command_id)


class CommandBus:
    """One per process."""

    def __init__(
        self, *, producer: DurableProducer, inbox: ReplyInbox, topic_name: str, partition: int
    ) -> None:
        self._producer = producer
        self._inbox = inbox
        self._topic_name = topic_name
        self._partition = partition

    async def ask(self, command: Command, *, wait_seconds: float) -> Reply | None:
        """The reply, or None when it did not come within `wait_seconds` of sending.

        Raises BrokerUnavailable when the command is not known to be durable. It may be, all the
        same: the caller's same key finds out.
        """
        if not self._inbox.is_listening:
            raise BrokerUnavailable("replies cannot be heard")
        headers = [(REPLY_PARTITION_HEADER, str(self._partition).encode())]
        if command.traceparent is not None:
            headers.append((TRACEPARENT_HEADER, command.traceparent.encode()))
        with self._inbox.expect(str(command.command_id)) as expected:
            await self._producer.send(
                self._topic_name,
                key=str(command.billable_entity_id).encode(),
                value=command.to_bytes(),
                headers=headers,
                timeout_seconds=SEND_TIMEOUT_SECONDS,
            )
            record = await expected.received(timeout_seconds=wait_seconds)
        return None if record is None else _read(record)


def _read(record: Record) -> Reply | None:
    if record.value is None:
        return None
    try:
        reply: Reply = Reply.from_bytes(record.value)
    except ValidationError as error:
        log.error("gateway.reply_unreadable", offset=record.offset, error=error)
        return None
    return reply
