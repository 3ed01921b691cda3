"""The CHECKs: states that no writer may leave behind."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fixtures.databases import Database
from tests.integration.storage.refusals import refused_by_check
from tests.integration.storage.rows import LATER, LEASE, NOW, PENDING_LEASE, Rows

from billing_common.storage import tables as t
from billing_common.storage.tables.subscriptions import SUBSCRIPTION_STATUSES

pytestmark = [pytest.mark.connected, pytest.mark.requirement("DATA-04")]


async def test_a_terminal_subscription_is_never_current_and_a_live_one_may_be(
    each_database: Database,
) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        plan = await rows.plan()
        for status in SUBSCRIPTION_STATUSES:
            entity = await rows.entity()
            customer = await rows.customer(entity)
            if status not in {"canceled", "incomplete_expired"}:
                await rows.subscription(entity, customer, plan, status=status)
                continue
            async with refused_by_check(
                connection, "ck_billing_subscriptions_terminal_is_never_current"
            ):
                await rows.subscription(entity, customer, plan, status=status)
            await rows.subscription(entity, customer, plan, status=status, is_current=False)


async def test_the_canonical_subscription_is_not_the_duplicate(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity = await rows.entity()
        async with refused_by_check(
            connection, "ck_billing_subscription_remediations_canonical_not_duplicate"
        ):
            await rows.remediation(
                entity,
                canonical_provider_subscription_id="sub_1",
                duplicate_provider_subscription_id="sub_1",
            )
        await rows.remediation(
            entity,
            canonical_provider_subscription_id="sub_1",
            duplicate_provider_subscription_id="SUB_1",
        )


OPERATION_LEASES: list[tuple[dict[str, Any], bool]] = [
    ({"status": "pending"}, True),
    ({"status": "pending", **PENDING_LEASE}, True),
    ({"status": "pending", "lease_owner": "worker-1"}, False),
    ({"status": "pending", "pending_lease_expires_at": LATER}, False),
    ({"status": "succeeded"}, True),
    ({"status": "succeeded", **PENDING_LEASE}, False),
    ({"status": "failed", **PENDING_LEASE}, False),
    ({"status": "expired", "lease_owner": "worker-1"}, False),
]


async def test_an_operations_lease_is_whole_and_only_while_pending(
    each_database: Database,
) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        for values, is_legal in OPERATION_LEASES:
            entity = await rows.entity()
            if is_legal:
                await rows.operation(entity, **values)
                continue
            async with refused_by_check(
                connection, "ck_billing_request_idempotency_lease_only_while_pending"
            ):
                await rows.operation(entity, **values)


FLOWS: list[tuple[str, str | None, bool]] = [
    ("checkout", "subscription", True),
    ("checkout", "one_off", True),
    ("checkout", None, False),
    ("portal", None, True),
    ("portal", "subscription", False),
    ("payment_link", None, True),
    ("payment_link", "one_off", False),
]


async def test_a_checkout_states_its_flow_and_only_a_checkout(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity = await rows.entity()
        for action, flow, is_legal in FLOWS:
            if is_legal:
                await rows.operation(entity, action=action, flow=flow)
                continue
            async with refused_by_check(
                connection, "ck_billing_request_idempotency_checkout_states_its_flow"
            ):
                await rows.operation(entity, action=action, flow=flow)


LEASES: list[tuple[dict[str, Any], bool]] = [
    ({"status": "pending"}, True),
    ({"status": "leased", **LEASE}, True),
    ({"status": "leased"}, False),
    ({"status": "leased", "lease_owner": "worker-1"}, False),
    ({"status": "leased", "lease_expires_at": LATER}, False),
    ({"status": "pending", **LEASE}, False),
    ({"status": "pending", "lease_expires_at": LATER}, False),
    ({"status": "succeeded", **LEASE}, False),
    ({"status": "failed"}, True),
    ({"status": "dead_letter"}, True),
]


async def test_a_jobs_and_a_remediations_lease_is_whole_and_only_while_leased(
    each_database: Database,
) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity = await rows.entity()
        for values, is_legal in LEASES:
            status = values["status"].replace("leased", "in_progress")
            remediation = values | {"status": status}
            if is_legal:
                await rows.job(**values)
                await rows.remediation(entity, **remediation)
                continue
            async with refused_by_check(
                connection, "ck_billing_outbox_jobs_lease_only_while_leased"
            ):
                await rows.job(**values)
            async with refused_by_check(
                connection, "ck_billing_subscription_remediations_lease_only_in_progress"
            ):
                await rows.remediation(entity, **remediation)


RUNS: list[tuple[dict[str, Any], bool]] = [
    ({"status": "running"}, True),
    ({"status": "running", "lease_expires_at": None}, False),
    ({"status": "running", "runner_id": None}, False),
    ({"status": "succeeded", "lease_expires_at": None}, True),
    ({"status": "failed", "lease_expires_at": None, "runner_id": None}, True),
    ({"status": "succeeded"}, False),
]


async def test_a_run_is_leased_exactly_while_running(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        for number, (values, is_legal) in enumerate(RUNS):
            if is_legal:
                await rows.run(scope=f"scope_{number}", **values)
                continue
            async with refused_by_check(
                connection, "ck_billing_reconciliation_runs_leased_exactly_while_running"
            ):
                await rows.run(scope=f"scope_{number}", **values)


async def test_a_relay_lease_is_whole(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        await rows.insert(t.billing_relay_leases, name="shard-0")
        await rows.insert(t.billing_relay_leases, name="shard-1", **LEASE)
        for half in ({"lease_owner": "worker-1"}, {"lease_expires_at": LATER}):
            async with refused_by_check(connection, "ck_billing_relay_leases_lease_is_whole"):
                await rows.insert(t.billing_relay_leases, name="shard-2", **half)


async def test_an_interval_and_a_window_have_a_length(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity, plan = await rows.entity(), await rows.plan()
        async with refused_by_check(
            connection, "ck_billing_plan_prices_interval_count_is_positive"
        ):
            await rows.price(plan, interval_count=0)
        for table, key in (
            (t.billing_usage_counters, {}),
            (t.billing_usage_events, {"usage_event_key": "k"}),
        ):
            async with refused_by_check(connection, f"ck_{table.name}_window_ends_after_it_starts"):
                await rows.insert(
                    table,
                    billable_entity_id=entity,
                    entitlement_code="ai",
                    window_start_at=NOW,
                    window_end_at=NOW,
                    **key,
                )
