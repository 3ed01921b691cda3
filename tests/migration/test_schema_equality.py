"""The migrated database and the declared tables are the same schema, on each engine."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from tests.fixtures.databases import MigratedServer
from tests.migration.schema_snapshot import read_snapshot

from billing_common.storage.migrate import current_revision, head, upgrade_database
from billing_common.storage.tables import metadata

pytestmark = [pytest.mark.connected, pytest.mark.requirement("DATA-06")]


@pytest.mark.requirement("DATA-01")
async def test_migrated_equals_declared(each_migrated_server: MigratedServer) -> None:
    migrated = await each_migrated_server.empty_database()
    declared = await each_migrated_server.empty_database()
    try:
        applied = await upgrade_database(migrated.url)
        assert applied[-1] == head() == await current_revision(migrated.url)
        async with declared.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        built, wanted = await read_snapshot(migrated.engine), await read_snapshot(declared.engine)
        assert set(built) == set(wanted) == set(metadata.tables)
        for name in wanted:
            assert built[name] == wanted[name], name
    finally:
        await migrated.dispose()
        await declared.dispose()


CHANGES = (
    "ALTER TABLE billing_customers DROP COLUMN email",
    "ALTER TABLE billing_customers MODIFY provider_customer_id varchar(255) NOT NULL",
    "ALTER TABLE billing_customers MODIFY created_at datetime NOT NULL",
    "ALTER TABLE billing_customers DROP INDEX uq_billing_customers_provider_customer",
    "ALTER TABLE billing_relay_leases DROP CONSTRAINT ck_billing_relay_leases_lease_is_whole",
    "ALTER TABLE billing_customers DROP FOREIGN KEY fk_billing_customers_entity",
    "ALTER TABLE billing_invoices ALTER amount_due_minor DROP DEFAULT",
    "CREATE TABLE stray (id int primary key)",
)


@pytest.mark.parametrize("change", CHANGES)
async def test_the_comparison_sees_a_change(migrated_server: MigratedServer, change: str) -> None:
    """Otherwise the test above would prove nothing."""
    database = await migrated_server.fresh_database()
    try:
        before = await read_snapshot(database.engine)
        async with database.engine.begin() as connection:
            await connection.execute(text(change))
        assert await read_snapshot(database.engine) != before
    finally:
        await database.dispose()
