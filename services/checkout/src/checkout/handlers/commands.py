"""Any command to its reply: past its deadline it is answered, not executed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
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
from checkout.handlers.billing_write import begin_write
from checkout.handlers.context import CheckoutContext, Target, Unsettled
from checkout.handlers.recovery import begin_recovery

log = structlog.get_logger()

REPLAYED: Final = "replayed"


async def handle_command(context: CheckoutContext, command: Command) -> Reply:
    """Execute and answer. Raises TransientError (handle it again) or PoisonError (never will)."""
    begun = await begin_command(context, command)
    return begun if isinstance(begun, Reply) else await begun()


async def begin_command(
    context: CheckoutContext, command: Command
) -> Reply | Callable[[], Awaitable[Reply]]:
    """Its reply, or how to come by it: from there on the next command of the entity may begin.

    Raises like handle_command.
    """
    with _bound(command):
        begun = await _begin(context, command)
        if isinstance(begun, Answer):
            return _reply(command, begun)

    async def finish() -> Reply:
        with _bound(command):
            return _reply(command, await begun.finish())

    return finish


async def _begin(context: CheckoutContext, command: Command) -> Answer | Unsettled:
    asked = Asked(command.operation_key, command.request_id)
    if command.deadline_at <= context.utc_now():
        return deadline_elapsed(asked)
    match command.payload:
        case RecoverOperation(idempotency_row_id=row_id):
            target = Target(command.billable_entity_id, row_id)
            return await begin_recovery(context, target, asked)
        case BillingWrite() as payload:
            return await begin_write(context, command, payload)


def _bound(command: Command) -> AbstractContextManager[object]:
    return structlog.contextvars.bound_contextvars(
        operation_key=command.operation_key,
        billable_entity_id=command.billable_entity_id,
        command_id=str(command.command_id),
        request_id=command.request_id,
    )


def _reply(command: Command, answer: Answer) -> Reply:
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
