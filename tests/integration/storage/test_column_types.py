"""What goes in comes out: bytes of identifiers, instants, documents, words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError, StatementError
from tests.fixtures.databases import Database
from tests.integration.storage.refusals import refused_by_key
from tests.integration.storage.rows import NOW, Rows

from billing_common.domain.canonical_json import canonical_json, sha256_hex
from billing_common.domain.subscription import SubscriptionStatus
from billing_common.storage import tables as t

pytestmark = [pytest.mark.connected, pytest.mark.requirement("DATA-01")]

DISTINCT = ("key", "KEY", "Key", "key ", " key", "key\t", "kéy", "ke\u0301y", "k\x00ey", "ß", "ss")


async def test_identifiers_that_differ_in_one_byte_are_different(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity = await rows.entity()
        for word in DISTINCT:
            await rows.operation(entity, client_idempotency_key=word, action="portal", flow=None)
            await rows.event(provider_event_id=word)
        for word in DISTINCT:
            async with refused_by_key(connection, "uq_billing_webhook_events_provider_event"):
                await rows.event(provider_event_id=word)
            found = await connection.execute(
                select(t.billing_request_idempotency.c.client_idempotency_key).where(
                    t.billing_request_idempotency.c.client_idempotency_key == word
                )
            )
            assert found.scalars().all() == [word]


@pytest.mark.parametrize(
    "value",
    ["x" * 256, "é" * 128, b"bytes", 7, "\ud800"],
    ids=["too long", "too many bytes", "bytes", "number", "lone surrogate"],
)
async def test_an_identifier_that_does_not_fit_is_refused_before_it_is_sent(
    database: Database, value: Any
) -> None:
    async with database.engine.connect() as connection:
        with pytest.raises((StatementError, ValueError)):
            await Rows(connection).event(provider_event_id=value)


async def test_bytes_that_are_no_text_are_refused_on_reading(database: Database) -> None:
    async with database.engine.connect() as connection:
        await Rows(connection).event(provider_event_id="evt_1")
        await connection.execute(text("UPDATE billing_webhook_events SET provider_event_id = 0xFF"))
        with pytest.raises(UnicodeDecodeError):
            (await connection.execute(select(t.billing_webhook_events))).all()


async def test_an_instant_keeps_its_microseconds_and_its_zone(each_database: Database) -> None:
    tokyo = datetime(2026, 3, 1, 3, 4, 5, 999999, tzinfo=timezone(timedelta(hours=9)))
    async with each_database.engine.connect() as connection:
        await Rows(connection).event(provider_created_at=tokyo)
        stored = await connection.scalar(select(t.billing_webhook_events.c.provider_created_at))
        assert stored == tokyo
        assert stored.tzinfo is UTC
        earlier = t.billing_webhook_events.c.provider_created_at < func.utc_timestamp(6)
        assert await connection.scalar(select(func.count()).where(earlier)) == 1


async def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    async with database.engine.connect() as connection:
        with pytest.raises(StatementError, match="aware"):
            await Rows(connection).event(received_at=NOW.replace(tzinfo=None))


async def test_the_frozen_request_keeps_its_bytes(each_database: Database) -> None:
    params = canonical_json({"z": [1, {"b": 1, "a": "é"}], "aa": 2, "b": None})
    body = b'{"z": 1,  "a" : "\xc3\xa9"}\n'
    async with each_database.engine.connect() as connection:
        rows = Rows(connection)
        await rows.operation(
            await rows.entity(),
            provider_request_params=params,
            provider_request_hash=sha256_hex(params),
            response_status=201,
            response_body=body,
            failure_details_json={"a": [1, None]},
        )
        row = (await connection.execute(select(t.billing_request_idempotency))).one()
    assert row.provider_request_params == params
    assert sha256_hex(row.provider_request_params) == row.provider_request_hash
    assert row.response_body == body
    assert row.failure_details_json == {"a": [1, None]}


async def test_a_word_outside_its_list_is_refused(each_database: Database) -> None:
    async with each_database.engine.connect() as connection:
        rows = Rows(connection)
        entity = await rows.entity()
        with pytest.raises(StatementError):
            await rows.session(entity, status="Open")
        with pytest.raises(DBAPIError):  # and by the server, to clients that are not ours
            await connection.exec_driver_sql(
                "INSERT INTO billing_checkout_sessions (billable_entity_id, provider, flow,"
                " operation_key, status, created_at, updated_at)"
                f" VALUES ({entity}, 'stripe', 'subscription', 'k', 'Open', NOW(6), NOW(6))"
            )


async def test_a_words_enum_member_is_its_word(database: Database) -> None:
    async with database.engine.connect() as connection:
        rows = Rows(connection)
        entity, plan = await rows.entity(), await rows.plan()
        await rows.subscription(
            entity, await rows.customer(entity), plan, status=SubscriptionStatus.PAST_DUE
        )
        assert await connection.scalar(select(t.billing_subscriptions.c.status)) == "past_due"


async def test_a_row_states_its_own_times(each_database: Database) -> None:
    """No server default invents one."""
    async with each_database.engine.connect() as connection:
        with pytest.raises(DBAPIError, match="created_at"):
            await connection.execute(
                insert(t.identity_users).values(external_id="user_1", updated_at=NOW)
            )
