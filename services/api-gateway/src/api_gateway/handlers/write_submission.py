"""A billing write: replay what is finished, refuse what is contradictory, command the rest.

The gateway writes nothing. Whatever happens after the command is durable, the same key finds the
outcome. Every kind of write goes this way; they differ in their action and their payload.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never
from uuid import UUID

import structlog

from api_gateway.decisions.checkout_requests import fingerprint
from api_gateway.decisions.receipts import Receipt, receipt_text
from api_gateway.decisions.submissions import (
    Conflict,
    InProgress,
    Replay,
    Submit,
    decide_submission,
    replay_of,
)
from api_gateway.handlers.command_bus import CommandBus
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.repository import operations
from api_gateway.repository.operations import ReadOperation
from billing_common.contracts.commands import Actor, Command, Payload
from billing_common.contracts.replies import Reply
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import Action
from billing_common.domain.operation_keys import operation_key
from billing_common.domain.secret_rings import SecretRing
from billing_common.storage.transaction import Database

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WriteIdentity:
    """What every payload carries beside what is wanted."""

    client_key: str
    request_fingerprint_hash: str
    normalized: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """An authenticated, authorised, valid request that waits `wait_seconds` for its reply.

    `normalized` is the one form of equal requests; `make_payload` the command's content.
    """

    action: Action
    normalized: dict[str, Any]
    make_payload: Callable[[WriteIdentity], Payload]
    billable_entity_id: int
    subject: str
    client_key: str
    wait_seconds: float
    request_id: str
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """The exact bytes to answer with. `is_replay`: an earlier request stored them."""

    http_status: int
    body: bytes
    is_replay: bool
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class StillPending:
    """Accepted; the outcome will be at the operation's own address, with the receipt."""

    operation_key: str
    receipt: str


class WriteSubmitter:
    """Every billing write, after everything that only needs the request."""

    def __init__(
        self,
        *,
        database: Database,
        bus: CommandBus,
        operation_key_secrets: SecretRing,
        reply_wait_seconds: float,
        clock: Callable[[], datetime],
        make_command_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._bus = bus
        self._secrets = operation_key_secrets
        self._reply_wait_seconds = reply_wait_seconds
        self._clock = clock
        self._make_command_id = make_command_id

    async def submit(self, submission: Submission) -> Answered | StillPending:
        """Raises RequestRefused, BrokerUnavailable (nothing is half done), DatabaseUnavailable."""
        identity = WriteIdentity(
            submission.client_key, fingerprint(submission.normalized), submission.normalized
        )
        stored = await self._find(submission)
        decided = (
            decide_submission(
                stored.operation,
                request_fingerprint_hash=identity.request_fingerprint_hash,
                now=stored.read_at,
            )
            if stored is not None
            else Submit()
        )
        match decided:
            case Replay(http_status, body):
                return Answered(http_status, body, is_replay=True)
            case Conflict():
                raise RequestRefused(FailureCode.IDEMPOTENCY_CONFLICT)
            case InProgress(retry_after_seconds):
                raise RequestRefused(
                    FailureCode.REQUEST_IN_PROGRESS,
                    operation_key=stored.operation.operation_key if stored else None,
                    retry_after_seconds=retry_after_seconds,
                )
            case Submit():
                # A stored operation keeps its name, also when the secret has been rotated.
                key = stored.operation.operation_key if stored else self._operation_key(submission)
                return await self._ask(submission, self._command(submission, key, identity))
            case _:
                assert_never(decided)

    async def _ask(self, submission: Submission, command: Command) -> Answered | StillPending:
        reply = await self._bus.ask(command, wait_seconds=submission.wait_seconds)
        if reply is not None:
            return _answered(reply)
        # The reply may be lost while the outcome is stored: one look before giving up.
        found = await self._find(submission)
        finished = replay_of(found.operation) if found is not None else None
        if finished is not None:
            return Answered(finished.http_status, finished.body, is_replay=False)
        log.info(
            "gateway.reply_late",
            operation_key=command.operation_key,
            command_id=str(command.command_id),
        )
        # While a secret is rotated the row may have been made under its former name.
        key = command.operation_key if found is None else found.operation.operation_key
        return StillPending(key, self._receipt(submission, command, key))

    def _receipt(self, submission: Submission, command: Command, key: str) -> str:
        return receipt_text(
            Receipt(
                operation_key=key,
                action=submission.action,
                billable_entity_id=submission.billable_entity_id,
                accepted_at=command.issued_at,
                deadline_at=command.deadline_at,
            ),
            self._secrets.current,
        )

    async def _find(self, submission: Submission) -> ReadOperation | None:
        async with self._database.read(name="find_operation") as connection:
            return await operations.find_by_client_key(
                connection,
                billable_entity_id=submission.billable_entity_id,
                action=submission.action.value,
                client_key=submission.client_key,
            )

    def _operation_key(self, submission: Submission) -> str:
        return operation_key(
            self._secrets.current,
            action=submission.action.value,
            billable_entity_id=submission.billable_entity_id,
            client_idempotency_key=submission.client_key,
        )

    def _command(self, submission: Submission, key: str, identity: WriteIdentity) -> Command:
        issued_at = self._clock()
        return Command(
            command_id=self._make_command_id(),
            operation_key=key,
            billable_entity_id=submission.billable_entity_id,
            actor=Actor(kind="user", id=submission.subject),
            request_id=submission.request_id,
            issued_at=issued_at,
            # Not shortened by Prefer: a caller who does not wait still wants it done.
            deadline_at=issued_at + timedelta(seconds=self._reply_wait_seconds),
            traceparent=submission.traceparent,
            payload=submission.make_payload(identity),
        )


def _answered(reply: Reply) -> Answered:
    return Answered(
        reply.http_status,
        reply.body.encode(),
        is_replay=reply.is_replay,
        retry_after_seconds=reply.retry_after_seconds,
    )
