"""Records that are not events of ours: kept whole in the dead-letter topic, then passed over."""

from __future__ import annotations

import structlog

from billing_common.messaging.dead_letters import DeadLetters
from projection.handlers.receive import Unreadable

log = structlog.get_logger()


class UnreadableRecords:
    """Gives a record up before its offset moves; a repeat after a crash is harmless."""

    def __init__(self, dead_letters: DeadLetters) -> None:
        self._dead_letters = dead_letters

    async def give_up(self, one: Unreadable) -> None:
        """Durable when it returns. Raises BrokerUnavailable: the batch is tried again."""
        await self._dead_letters.publish(one.record, reason=one.reason, attempts=1)
        log.error(
            "projection.record_unreadable",
            topic=one.record.topic,
            partition=one.record.partition,
            offset=one.record.offset,
            reason=one.problem,
        )
