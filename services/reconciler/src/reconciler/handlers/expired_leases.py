"""Scope expired_leases: a pending operation whose worker is gone becomes a RecoverOperation.

Seconds after a lease ends, without waiting for the client: an operation that nobody finishes
would block its entity.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from billing_common.contracts.commands import Actor, Command, RecoverOperation
from billing_common.contracts.topics import COMMANDS, TopicNames
from billing_common.domain.idempotency import StalledOperation
from billing_common.messaging.producer import DurableProducer
from billing_common.observability.metrics import PENDING_OPERATIONS
from billing_common.storage.transaction import Database
from reconciler.decisions.recovery import (
    Asked,
    after_asking,
    due_for_recovery,
)
from reconciler.decisions.scopes import POLICIES, Scope
from reconciler.handlers.leased_runs import RunHandle
from reconciler.repository.runs import RunCounts
from reconciler.repository.stalled import find_stalled

SEND_TIMEOUT_SECONDS: Final = 5.0
# Far more than ever stalls at once; bounds a look, not the work.
PAGES_MAX: Final = 20
# Recovery has no impatient client: the command may wait while checkout is down.

COMMAND_LIFETIME: Final = timedelta(hours=1)


class ExpiredLeases:
    """Remembers what it has asked, per process; forgetting only means asking again."""

    def __init__(
        self,
        *,
        database: Database,
        producer: DurableProducer,
        names: TopicNames,
        runner_id: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._producer = producer
        self._topic = names.of(COMMANDS)
        self._runner_id = runner_id
        self._clock = clock
        self._asked: dict[int, Asked] = {}

    async def find_due(self) -> list[StalledOperation]:
        """What a run would ask about now."""
        limit = POLICIES[Scope.EXPIRED_LEASES].batch_size_max
        stalled: list[StalledOperation] = []
        due: list[StalledOperation] = []
        async with self._database.read(name="find_stalled") as connection:
            # Those asked about lately stand first: look behind them, or they starve the others.
            for page_number in range(PAGES_MAX):
                page = await find_stalled(connection, limit=limit, offset=page_number * limit)
                stalled += page
                due += due_for_recovery(page, self._asked, now=self._clock())
                if len(page) < limit or len(due) >= limit:
                    break
        PENDING_OPERATIONS.set(len(stalled))
        open_rows = {operation.row_id for operation in stalled}
        self._asked = {key: note for key, note in self._asked.items() if key in open_rows}
        return due[:limit]

    async def work(self, handle: RunHandle) -> RunCounts:
        """One page: publish a command for each due operation."""
        due = await self.find_due()
        await handle.renew()
        for operation in due:
            await self._ask(operation)
        return RunCounts(scanned=len(due), drift_detected=len(due), repaired=len(due))

    async def _ask(self, operation: StalledOperation) -> None:
        now = self._clock()
        command = Command(
            command_id=uuid.uuid4(),
            operation_key=operation.operation_key,
            billable_entity_id=operation.billable_entity_id,
            actor=Actor(kind="service", id="reconciler"),
            request_id=f"recovery:{operation.row_id}:{operation.lease_version}",
            issued_at=now,
            deadline_at=now + COMMAND_LIFETIME,
            payload=RecoverOperation(idempotency_row_id=operation.row_id),
        )
        await self._producer.send(
            self._topic,
            key=str(operation.billable_entity_id).encode(),
            value=command.to_bytes(),
            timeout_seconds=SEND_TIMEOUT_SECONDS,
        )
        note = self._asked.get(operation.row_id)
        self._asked[operation.row_id] = after_asking(operation, note, now=now)
