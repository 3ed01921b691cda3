"""Signed nonsense: whatever a record says, it ends recorded or dead-lettered, and never blocks."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from tests.fixtures.databases import Database
from tests.integration.projection.projectors import LetterBox, projector_on
from tests.integration.projection.purchases import (
    Buyer,
    batch_of,
    buy,
    events_of,
    make_buyer,
    publish_price,
    record_of,
)

from billing_common.contracts.stripe_event_headers import (
    API_VERSION,
    EVENT_CREATED,
    EVENT_ID,
    EVENT_TYPE,
    RECEIVED_AT,
)
from billing_common.messaging.dead_letters import REASON
from billing_common.messaging.records import PartitionBatch, Record
from billing_common.storage.tables import (
    billing_subscriptions,
    billing_webhook_events,
)
from projection.decisions.fold import fold
from projection.handlers import folding
from stripe_double.testing import RunningDouble

pytestmark = pytest.mark.connected

Event = dict[str, Any]
LONG = "x" * 300
SURROGATE = "\ud800"
BIG = 10**30

# An event type, where in its data.object, and what stands there.
VALUES: list[tuple[str, str, Any]] = [
    ("customer.subscription.created", "id", LONG),
    ("customer.subscription.created", "id", SURROGATE),
    ("customer.subscription.created", "id", "sub_\x00"),
    ("customer.subscription.created", "id", 7),
    ("customer.subscription.created", "customer", LONG),
    ("customer.subscription.created", "customer", SURROGATE),
    ("customer.subscription.created", "customer", {"id": SURROGATE}),
    ("customer.subscription.created", "customer", None),
    ("customer.subscription.created", "object", LONG),
    ("customer.subscription.created", "object", {"secret": "payload"}),
    ("customer.subscription.created", "object", SURROGATE),
    ("customer.subscription.created", "status", "hibernating"),
    ("customer.subscription.created", "status", SURROGATE),
    ("customer.subscription.created", "created", BIG),
    ("customer.subscription.created", "created", -62_135_596_800),
    ("customer.subscription.created", "created", 1.5),
    ("customer.subscription.created", "trial_end", 10**12),
    ("customer.subscription.created", "items.data.0.id", LONG),
    ("customer.subscription.created", "items.data.0.id", SURROGATE),
    ("customer.subscription.created", "items.data.0.price.id", SURROGATE),
    ("customer.subscription.created", "items.data.0.price.id", LONG),
    ("customer.subscription.created", "items.data.0.price.object", {"a": "b" * 70_000}),
    ("customer.subscription.created", "items.data.0.price", {"object": SURROGATE}),
    ("customer.subscription.created", "items.data.0.quantity", BIG),
    ("customer.subscription.created", "items.data.0.quantity", 2**32),
    ("customer.subscription.created", "items.data.0.quantity", 1e300),
    ("customer.subscription.created", "items.data.0.current_period_end", 253_402_300_800),
    ("customer.subscription.created", "items.data", []),
    ("customer.subscription.created", "metadata.operation_key", LONG),
    ("customer.subscription.created", "metadata.operation_key", SURROGATE),
    ("customer.subscription.created", "metadata.billable_entity_id", "9" * 4301),
    ("customer.subscription.created", "metadata.billable_entity_id", "9" * 40),
    ("checkout.session.completed", "id", LONG),
    ("checkout.session.completed", "subscription", SURROGATE),
    ("checkout.session.completed", "subscription", LONG),
    ("checkout.session.completed", "status", "paused"),
    ("checkout.session.completed", "mode", LONG),
    ("checkout.session.completed", "metadata.operation_key", LONG),
    ("checkout.session.completed", "metadata.operation_key", SURROGATE),
    ("invoice.paid", "id", LONG),
    ("invoice.paid", "id", SURROGATE),
    ("invoice.paid", "status", LONG),
    ("invoice.paid", "status", SURROGATE),
    ("invoice.paid", "currency", "dollars"),
    ("invoice.paid", "currency", SURROGATE),
    ("invoice.paid", "amount_paid", BIG),
    ("invoice.paid", "amount_paid", 2**64),
    ("invoice.paid", "amount_paid", -1),
    ("invoice.paid", "amount_paid", 19.99),
    ("invoice.paid", "attempt_count", 10**4000),
    ("invoice.paid", "attempt_count", BIG),
    ("invoice.paid", "status_transitions.paid_at", "yesterday"),
    ("invoice.paid", "status_transitions.paid_at", BIG),
    ("invoice.paid", "status_transitions.paid_at", True),
    ("invoice.paid", "parent.subscription_details.subscription", SURROGATE),
    # Types that are not routed are recorded too.
    ("invoice.finalized", "id", LONG),
    ("invoice.finalized", "object", LONG),
    ("invoice.finalized", "object", SURROGATE),
    ("invoice.finalized", "customer", SURROGATE),
]

# A damaged header: its name and value.
HEADERS: list[tuple[str, bytes | None]] = [
    (EVENT_ID, b"evt_" + b"x" * 300),
    (EVENT_ID, b"\xff\xfe"),
    (EVENT_ID, b""),
    (EVENT_ID, None),
    (EVENT_TYPE, b"t" * 200),
    (API_VERSION, b"v" * 100),
    (EVENT_CREATED, b"9" * 30),
    (EVENT_CREATED, b"9" * 5000),
    (EVENT_CREATED, b"-1"),
    (EVENT_CREATED, b"soon"),
    (RECEIVED_AT, b"2026-11-22T12:00:00"),
    (RECEIVED_AT, b"then"),
]

BODIES: list[bytes | None] = [
    None,
    b"",
    b"null",
    b"[]",
    b'"data"',
    b'{"data": []}',
    b'{"data": {"object": "x"}}',
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"data": {"object": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}}",
    b'{"data": {"object": {"id": ' + b"9" * 5000 + b"}}}",
    b'{"data": {"object": {"id": "a", "id": "b", "customer": "c", "customer": NaN}}}',
    b'{"account": {"x": 1}, "data": {"object": {"id": "a"}}}',
]


async def purchase(database: Database, double: RunningDouble) -> tuple[Buyer, list[Event]]:
    price_id = await publish_price(database.engine, double, code="starter")
    buyer = await make_buyer(database.engine, double, "acme")
    await buy(double, buyer, price_id)
    return buyer, events_of(double, buyer)


def with_value(event: Event, path: str, value: Any, event_id: str) -> Event:
    changed = copy.deepcopy(event)
    changed["id"] = event_id
    *parents, last = path.split(".")
    target: Any = changed["data"]["object"]
    for name in parents:
        target = target[int(name)] if isinstance(target, list) else target[name]
    target[last] = value
    return changed


def with_header(record: Record, name: str, value: bytes | None) -> Record:
    others = tuple(pair for pair in record.headers if pair[0] != name)
    return replace(record, headers=(*others, (name, value)))


def hostile_records(events: list[Event]) -> list[tuple[str, Callable[[int], Record]]]:
    """A name for each, and what makes the record at an offset."""
    by_type = {event["type"]: event for event in events}
    made: list[tuple[str, Callable[[int], Record]]] = []
    for number, (event_type, path, value) in enumerate(VALUES):
        event = with_value(by_type[event_type], path, value, f"evt_value_{number}")
        made.append(
            (
                f"{event_type} {path} {value!r:.40}",
                lambda offset, event=event: record_of(event, offset=offset),  # type: ignore[misc]
            )
        )
    good = by_type["invoice.finalized"]
    for number, (name, header) in enumerate(HEADERS):
        event = {**good, "id": f"evt_header_{number}"}
        made.append(
            (
                f"header {name} {header!r:.40}",
                lambda offset, event=event, name=name, header=header: with_header(  # type: ignore[misc]
                    record_of(event, offset=offset), name, header
                ),
            )
        )
    for number, body in enumerate(BODIES):
        event = {**good, "id": f"evt_body_{number}"}
        made.append(
            (
                f"body {body!r:.40}",
                lambda offset, event=event, body=body: replace(  # type: ignore[misc]
                    record_of(event, offset=offset), value=body
                ),
            )
        )
    return made


def batch(*records: Record) -> PartitionBatch:
    return PartitionBatch(records[0].topic, records[0].partition, records)


async def recorded_events(database: Database) -> dict[str, Any]:
    table = billing_webhook_events
    async with database.engine.connect() as connection:
        rows = await connection.execute(select(table))
        return {row.provider_event_id: row for row in rows}


@pytest.mark.requirement("EVT-13")
@pytest.mark.requirement("EVT-16")
async def test_each_hostile_record_ends_alone(
    database: Database, stripe_double: RunningDouble
) -> None:
    """One by one: nothing is raised, and each is either a row or a dead letter."""
    _, events = await purchase(database, stripe_double)
    letters = LetterBox()
    wrong: dict[str, str] = {}
    async with projector_on(database, stripe_double, letters=letters) as projector:
        for offset, (name, make) in enumerate(hostile_records(events)):
            known, kept = set(await recorded_events(database)), len(letters.letters)
            try:
                await projector.process(batch(make(offset)))
            except Exception as error:
                wrong[name] = f"raised {type(error).__name__}"
                break_free = batch_of(
                    [{**events[0], "id": f"evt_skip_{offset}"}], first_offset=offset
                )
                await projector.process(break_free)
                continue
            rows = await recorded_events(database)
            new = set(rows) - known
            ended = len(new) + len(letters.letters) - kept
            if ended != 1:
                wrong[name] = f"ended {ended} times"
            for event_id in new:
                row = rows[event_id]
                if row.status not in {"failed", "ignored", "processed"}:
                    wrong[name] = f"status {row.status}"
                if row.error_text and ("payload" in row.error_text or len(row.error_text) > 200):
                    wrong[name] = "quotes the payload"
    assert wrong == {}


@pytest.mark.requirement("EVT-13")
async def test_one_batch_full_of_hostile_records_does_not_stop_a_purchase(
    database: Database, stripe_double: RunningDouble
) -> None:
    buyer, events = await purchase(database, stripe_double)
    makers = [make for _, make in hostile_records(events)]
    records = [make(offset) for offset, make in enumerate(makers)]
    good = [record_of(event, offset=len(records) + n) for n, event in enumerate(events)]
    letters = LetterBox()
    async with projector_on(database, stripe_double, letters=letters) as projector:
        await projector.process(batch(*records, *good))
    rows = await recorded_events(database)
    assert all(rows[event["id"]].status in {"processed", "ignored"} for event in events)
    async with database.engine.connect() as connection:
        table = billing_subscriptions
        found = await connection.execute(
            select(table.c.status, table.c.is_current).where(
                table.c.billable_entity_id == buyer.billable_entity_id
            )
        )
        assert found.all() == [("active", True)]


@pytest.mark.requirement("EVT-13")
async def test_an_event_whose_row_cannot_be_written_becomes_a_dead_letter(
    database: Database, stripe_double: RunningDouble
) -> None:
    _, events = await purchase(database, stripe_double)
    async with database.engine.begin() as connection:
        await connection.execute(
            text(
                "alter table billing_webhook_events add constraint none_of_it "
                "check (provider_event_id <> 'evt_unwritable')"
            )
        )
    poison = {**events[0], "id": "evt_unwritable"}
    letters = LetterBox()
    async with projector_on(database, stripe_double, letters=letters) as projector:
        await projector.process(batch_of([poison, *events], first_offset=0))
        assert await projector.load_offsets(record_of(poison, offset=0).topic, [0]) == {
            0: len(events) + 1
        }
    [(value, headers)] = letters.letters
    assert json.loads(value or b"")["id"] == "evt_unwritable"
    assert dict(headers)[REASON] == b"store_refused"
    assert set(await recorded_events(database)) == {event["id"] for event in events}


@pytest.mark.requirement("EVT-13")
async def test_a_defect_of_ours_fails_its_event_and_not_the_partition(
    database: Database, stripe_double: RunningDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, events = await purchase(database, stripe_double)

    def broken_for_one(state: Any, event: Any, **known: Any) -> Any:
        if event.type == "invoice.paid":
            raise ZeroDivisionError("a defect")
        return fold(state, event, **known)

    monkeypatch.setattr(folding, "fold", broken_for_one)
    async with projector_on(database, stripe_double) as projector:
        await projector.process(batch_of(events, first_offset=0))
    rows = {row.event_type: row for row in (await recorded_events(database)).values()}
    assert (rows["invoice.paid"].status, rows["invoice.paid"].outcome_code) == (
        "failed",
        "projection_defect",
    )
    assert rows["customer.subscription.created"].status == "processed"


async def test_a_store_that_refuses_everything_is_waited_for(
    database: Database, stripe_double: RunningDouble
) -> None:
    """No event is at fault when a table is missing: none may be marked failed for it."""
    _, events = await purchase(database, stripe_double)
    letters = LetterBox()
    async with projector_on(database, stripe_double, letters=letters) as projector:
        async with database.engine.begin() as connection:
            await connection.execute(text("rename table billing_feed_outbox to elsewhere"))
        with pytest.raises(DBAPIError):
            await projector.process(batch_of(events, first_offset=0))
        assert await recorded_events(database) == {}
        async with database.engine.begin() as connection:
            await connection.execute(text("rename table elsewhere to billing_feed_outbox"))
        await projector.process(batch_of(events, first_offset=0))
    statuses = {row.status for row in (await recorded_events(database)).values()}
    assert statuses == {"processed", "ignored"}
    assert letters.letters == []
