"""What became of each event, as rows of billing_webhook_events and messages of the feeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from billing_common.contracts.feeds import Change as ChangeMessage
from billing_common.contracts.topics import CHANGES, ENTITLEMENTS
from billing_common.domain.errors import BugError
from billing_common.domain.lifecycle import NotAllowed
from billing_common.domain.webhook_event import WEBHOOK_EVENT, EventOutcome, EventStatus
from billing_common.messaging.records import PartitionBatch
from billing_common.storage.transaction import WriteConnection
from projection.decisions.entitlements import entitling_subscription, snapshot
from projection.decisions.event import Applied, Ignored, NeedsTruth, Outcome, Refused, StripeEvent
from projection.decisions.retry import next_attempt_at
from projection.decisions.state import EntityState
from projection.handlers.gathering import PROVIDER
from projection.handlers.receive import Received
from projection.repository.catalogue import find_plans
from projection.repository.events import EventRow, KnownEvent
from projection.repository.feed import FeedMessage, append, raise_versions, read_versions


def event_row(
    one: Received,
    outcome: Outcome,
    *,
    batch: PartitionBatch,
    known: KnownEvent | None,
    state: EntityState | None,
    now: datetime,
) -> EventRow:
    """The row of one event after this attempt."""
    attempt = (known.attempt_count if known else 0) + 1
    status, code, message = _verdict(outcome, known)
    has_failed = status is EventStatus.FAILED
    source = one.event.object if isinstance(one.event, StripeEvent) else None
    return EventRow(
        known=known,
        provider=PROVIDER,
        provider_event_id=one.headers.event_id,
        billable_entity_id=state.billable_entity_id if state else None,
        operation_key=source.operation_key if source else None,
        event_type=one.headers.event_type,
        object_id=one.object_id,
        object_type=one.object_type,
        api_version=one.headers.api_version,
        livemode=one.headers.livemode,
        provider_created_at=datetime.fromtimestamp(one.headers.created, UTC),
        received_at=one.headers.received_at,
        status=status,
        outcome_code=code,
        error_text=message,
        attempt_count=attempt,
        next_attempt_at=(next_attempt_at(attempt_count=attempt, now=now) if has_failed else None),
        kafka_topic=batch.topic,
        kafka_partition=batch.partition,
        kafka_offset=one.offset,
        payload=one.payload if has_failed else None,
    )


def _verdict(
    outcome: Outcome, known: KnownEvent | None
) -> tuple[EventStatus, str | None, str | None]:
    match outcome:
        case Applied():
            what, code, message = EventOutcome.APPLIED, None, None
        case Ignored():
            what, code, message = EventOutcome.NOT_APPLICABLE, outcome.reason.value, None
        case Refused():
            what, code, message = EventOutcome.ERROR, outcome.code.value, outcome.message
        case NeedsTruth():
            raise BugError("an event still in doubt was about to be recorded")
    before = known.status if known else EventStatus.RECEIVED
    moved = WEBHOOK_EVENT.apply(before, what)
    if isinstance(moved, NotAllowed):
        raise BugError(f"event status {before} does not accept {what}")
    return moved.state, code, message


async def queue_feeds(
    connection: WriteConnection,
    changed: Sequence[EntityState],
    *,
    shards: int,
    now: datetime,
) -> None:
    """One version per changed entity: its changes and its whole snapshot, in one order."""
    entity_ids = [state.billable_entity_id for state in changed]
    await raise_versions(connection, entity_ids)
    versions = await read_versions(connection, entity_ids)
    granting = {
        state.billable_entity_id: row
        for state in changed
        if (row := entitling_subscription(state)) is not None
    }
    plans = await find_plans(connection, plan_ids={row.plan_id for row in granting.values()})
    messages: list[FeedMessage] = []
    for state in changed:
        entity_id = state.billable_entity_id
        version = versions[entity_id]
        messages.extend(_changes(state, version=version, now=now))
        row = granting.get(entity_id)
        plan = plans.get(row.plan_id) if row is not None else None
        standing = snapshot(
            state,
            version=version,
            as_of=now,
            plan_code=plan.code if plan else None,
            entitlements=plan.entitlements if plan else (),
        )
        messages.append(FeedMessage(entity_id, ENTITLEMENTS.name, standing.to_bytes()))
    await append(connection, messages, shards=shards, now=now)


def _changes(state: EntityState, *, version: int, now: datetime) -> list[FeedMessage]:
    return [
        FeedMessage(
            state.billable_entity_id,
            CHANGES.name,
            ChangeMessage.model_validate(
                {
                    "billable_entity_id": state.billable_entity_id,
                    "version": version,
                    "occurred_at": now,
                    "object_type": change.object_type,
                    "object_id": change.object_id,
                    "change": change.change,
                    "operation_key": change.operation_key,
                    "provider_event_id": change.provider_event_id,
                }
            ).to_bytes(),
        )
        for change in state.changes
    ]


def changed_states(
    before: Mapping[str, EntityState], after: Mapping[str, EntityState]
) -> list[tuple[EntityState, EntityState]]:
    """Pairs of those entities that folding touched, in entity order."""
    pairs = [(before[key], state) for key, state in after.items() if state is not before[key]]
    return sorted(pairs, key=lambda pair: pair[1].billable_entity_id)
