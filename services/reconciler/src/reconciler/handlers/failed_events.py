"""Scope failed_events: an event that could not be folded goes round again, or to the dead letters.

It travels the same road as at first, through the log and projection, so there is one way to apply
an event, and its customer's order is kept by the partition.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

from billing_common.contracts.stripe_event_headers import StripeEventHeaders
from billing_common.contracts.topics import STRIPE_EVENTS, TopicNames
from billing_common.domain.errors import TransientError
from billing_common.domain.event_routing import routing_subject
from billing_common.domain.webhook_event import FailedEvent
from billing_common.messaging.dead_letters import DeadLetters
from billing_common.messaging.producer import DurableProducer
from billing_common.messaging.records import OFFSET_UNKNOWN, Record
from billing_common.observability.metrics import FAILED_EVENTS
from billing_common.storage.transaction import Database
from reconciler.decisions.failed_events import (
    GiveUp,
    Resend,
    decide_failed_event,
)
from reconciler.decisions.scopes import POLICIES, Scope
from reconciler.handlers.leased_runs import RunHandle
from reconciler.repository.failed_events import claim_due, count_due, mark_dead_letter
from reconciler.repository.runs import RunCounts

log = structlog.get_logger()
SEND_TIMEOUT_SECONDS: Final = 5.0
# Longer than projection needs to meet the event again; a lost one is taken up after this.
CLAIM: Final = timedelta(minutes=1)


class FailedEvents:
    """Sends failed events round again until `attempts_max`, then gives them up, whole."""

    def __init__(
        self,
        *,
        database: Database,
        producer: DurableProducer,
        dead_letters: DeadLetters,
        names: TopicNames,
        attempts_max: int,
    ) -> None:
        self._database = database
        self._producer = producer
        self._dead_letters = dead_letters
        self._topic = names.of(STRIPE_EVENTS)
        self._attempts_max = attempts_max

    async def count_due(self) -> int:
        """How many events a run would take up now."""
        async with self._database.read(name="count_failed_events") as connection:
            due = await count_due(connection)
        FAILED_EVENTS.set(due)
        return due

    async def work(self, handle: RunHandle) -> RunCounts:
        """One page."""
        claimed = await self._database.write(
            lambda connection: claim_due(
                connection, limit=POLICIES[Scope.FAILED_EVENTS].batch_size_max, claim=CLAIM
            ),
            name="claim_failed_events",
        )
        await handle.renew()
        repaired = 0
        for event in claimed:
            try:
                repaired += await self._deal_with(event)
            except TransientError:
                raise
            except Exception as error:  # noqa: BLE001 - one event must not hold up its page
                log.error(
                    "reconciler.event_not_dealt_with",
                    provider_event_id=event.provider_event_id,
                    event_type=event.event_type,
                    error=error,
                )
        return RunCounts(scanned=len(claimed), drift_detected=len(claimed), repaired=repaired)

    async def _deal_with(self, event: FailedEvent) -> int:
        match decide_failed_event(event, attempts_max=self._attempts_max):
            case Resend(attempt):
                await self._resend(event, attempt)
                return 1
            case GiveUp(reason):
                await self._give_up(event, reason)
                return 0

    async def _resend(self, event: FailedEvent, attempt: int) -> None:
        await self._producer.send(
            self._topic,
            key=_key(event),
            value=event.payload,
            headers=_headers(event, attempt).to_pairs(),
            partition=event.kafka_partition,
            timeout_seconds=SEND_TIMEOUT_SECONDS,
        )

    async def _give_up(self, event: FailedEvent, reason: str) -> None:
        # First the letter, then the mark: dying in between costs a second copy, never the event.
        await self._dead_letters.publish(
            Record(
                topic=self._topic,
                partition=event.kafka_partition or 0,
                offset=OFFSET_UNKNOWN,
                key=_key(event),
                value=event.payload,
                headers=tuple(_headers(event, event.attempt_count).to_pairs()),
                timestamp_ms=0,
            ),
            reason=reason,
            attempts=event.attempt_count,
        )
        await self._database.write(
            lambda connection: mark_dead_letter(connection, event), name="mark_dead_letter"
        )
        log.error(
            "reconciler.event_given_up",
            provider_event_id=event.provider_event_id,
            event_type=event.event_type,
            reason=reason,
            attempts=event.attempt_count,
        )


def _headers(event: FailedEvent, attempt: int) -> StripeEventHeaders:
    return StripeEventHeaders(
        event_id=event.provider_event_id,
        event_type=event.event_type,
        created=int(event.provider_created_at.timestamp()),
        api_version=event.api_version,
        livemode=event.livemode,
        received_at=event.received_at,
        retry_attempt=attempt,
    )


def _key(event: FailedEvent) -> bytes:
    """As ingest made it. Total over any payload: the partition is what keeps the order."""
    subject: object = None
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        subject = routing_subject(json.loads(event.payload or b"")["data"]["object"])
    is_key = isinstance(subject, str) and subject.isascii()
    return (str(subject) if is_key else event.object_id or event.provider_event_id).encode()
