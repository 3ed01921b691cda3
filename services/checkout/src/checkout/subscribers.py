"""billing.commands.v1 in, billing.replies.v1 out.

A record's offset is committed only after its effect is durable and its reply acknowledged. The
reply may still be lost or come twice: the operation's row, not the reply, is the truth.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog
from pydantic import ValidationError

from billing_common.contracts.commands import REPLY_PARTITION_HEADER, Command
from billing_common.contracts.replies import Reply
from billing_common.domain.errors import PoisonError
from billing_common.messaging.errors import RecordRejected
from billing_common.messaging.records import Headers, Record, RecordPosition

log = structlog.get_logger()

GROUP: Final = "checkout.commands"
TRACEPARENT: Final = "traceparent"
REPLY_TIMEOUT_SECONDS: Final = 10.0
_PARTITION = re.compile(r"[0-9]{1,5}\Z")


Begun = Reply | Callable[[], Awaitable[Reply]]
Rest = Callable[[], Awaitable[None]]


class CommandMalformed(PoisonError):  # noqa: N818 - exceptions are facts here
    """The record is not a command of ours, or its key is not its entity."""

    code = "command_malformed"


class ReplySender(Protocol):
    """DurableProducer, as far as it is needed here."""

    async def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
        timeout_seconds: float,
    ) -> RecordPosition:
        """See DurableProducer.send."""
        ...


class CommandSubscriber:
    """The entrypoint: parse, hand over, reply."""

    def __init__(
        self,
        *,
        begin: Callable[[Command], Awaitable[Begun]],
        replies: ReplySender,
        replies_topic: str,
    ) -> None:
        self._begin = begin
        self._replies = replies
        self._replies_topic = replies_topic

    async def receive(self, record: Record) -> Rest | None:
        """Handles the record, or returns the rest of it, during which the entity's next command
        may begin. Raises CommandMalformed, and what the handler raises; the consumer's policy
        judges."""
        command = parse_command(record)
        partition = reply_partition(record)
        begun = await self._begin(command)
        if isinstance(begun, Reply):
            await self._answer(command, begun, partition)
            return None

        async def finish() -> None:
            await self._answer(command, await begun(), partition)

        return finish

    async def _answer(self, command: Command, reply: Reply, partition: int | None) -> None:
        if partition is not None:
            await self._send(reply, partition, command.traceparent)

    async def _send(self, reply: Reply, partition: int, traceparent: str | None) -> None:
        try:
            await self._replies.send(
                self._replies_topic,
                key=reply.operation_key.encode(),
                value=reply.to_bytes(),
                headers=((TRACEPARENT, traceparent.encode()),) if traceparent else (),
                partition=partition,
                timeout_seconds=REPLY_TIMEOUT_SECONDS,
            )
        except RecordRejected as error:
            # Nobody can hear it there. The work is done and stored; asking again finds it.
            log.error(
                "checkout.reply_not_deliverable",
                operation_key=reply.operation_key,
                partition=partition,
                code=error.code,
            )


def parse_command(record: Record) -> Command:
    """Raises CommandMalformed: it will be as malformed next time."""
    if record.value is None:
        raise CommandMalformed("a command has a value")
    try:
        command: Command = Command.from_bytes(record.value)
    except ValidationError:
        raise CommandMalformed("the value is not a command of schema version 1") from None
    if record.key != str(command.billable_entity_id).encode():
        # Order per entity rests on the key.
        raise CommandMalformed("the key of a command is its billable entity id")
    return command


def reply_partition(record: Record) -> int | None:
    """Where the gateway replica that asked is listening; None when nobody waits."""
    header = record.header(REPLY_PARTITION_HEADER)
    if header is None:
        return None
    text = header.decode("ascii", errors="replace")
    if _PARTITION.match(text) is None:
        log.warning("checkout.reply_partition_malformed", topic=record.topic, offset=record.offset)
        return None
    return int(text)
