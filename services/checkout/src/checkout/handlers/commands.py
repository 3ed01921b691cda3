"""Any command to its reply: past its deadline it is answered, not executed."""

from __future__ import annotations

from typing import Final

import structlog

from billing_common.contracts.commands import (
    BillingWrite,
    Command,
    RecoverOperation,
)
from billing_common.contracts.replies import Reply
from billing_common.observability.metrics import COMMANDS_HANDLED
from checkout.decisions.answers import Answer, Asked, deadline_elapsed
from checkout.handlers.billing_write import execute
from checkout.handlers.context import CheckoutContext, Target
from checkout.handlers.recovery import recover

log = structlog.get_logger()

REPLAYED: Final = "replayed"


async def handle_command(context: CheckoutContext, command: Command) -> Reply:
    """Execute and answer. Raises TransientError (handle it again) or PoisonError (never will)."""
    with structlog.contextvars.bound_contextvars(
        operation_key=command.operation_key,
        billable_entity_id=command.billable_entity_id,
        command_id=str(command.command_id),
        request_id=command.request_id,
    ):
        answer = await _answer(context, command)
        outcome = REPLAYED if answer.is_replay else answer.outcome
        COMMANDS_HANDLED.labels(type=command.payload.type, outcome=outcome).inc()
        log.info("checkout.command_handled", outcome=outcome, http_status=answer.http_status)
    return Reply(
        command_id=command.command_id,
        operation_key=command.operation_key,
        billable_entity_id=command.billable_entity_id,
        http_status=answer.http_status,
        body=answer.body,
        is_replay=answer.is_replay,
        retry_after_seconds=answer.retry_after_seconds,
    )


async def _answer(context: CheckoutContext, command: Command) -> Answer:
    asked = Asked(command.operation_key, command.request_id)
    if command.deadline_at <= context.utc_now():
        return deadline_elapsed(asked)
    match command.payload:
        case RecoverOperation(idempotency_row_id=row_id):
            return await recover(context, Target(command.billable_entity_id, row_id), asked)
        case BillingWrite() as payload:
            return await execute(context, command, payload)
