"""What holds for every declared table, without a server."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from enum import StrEnum

import pytest
from sqlalchemy import Boolean, CheckConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from billing_common.domain.checkout_session import BLOCKING, SessionFlow, SessionStatus
from billing_common.domain.idempotency import Action, OperationStatus
from billing_common.domain.subscription import CURRENT_CAPABLE, SubscriptionStatus
from billing_common.domain.webhook_event import EventStatus
from billing_common.storage.tables import (
    WRITERS,
    columns,
    idempotency,
    metadata,
    subscriptions,
    webhook_events,
)
from billing_common.storage.tables import checkout_sessions as sessions
from billing_common.storage.types import ExactDocument, ExactText, UtcDateTime

TABLES = tuple(metadata.tables.values())
PREPARER = mysql.dialect().identifier_preparer  # type: ignore[no-untyped-call]

REQUIRED = [
    "billable_entities",
    "billing_customers",
    "billing_plans",
    "billing_plan_prices",
    "billing_entitlements",
    "billing_subscriptions",
    "billing_subscription_items",
    "billing_invoices",
    "billing_payments",
    "billing_webhook_events",
    "billing_request_idempotency",
    "billing_reconciliation_runs",
    "billing_subscription_remediations",
    "billing_outbox_jobs",
    "billing_checkout_sessions",
    "billing_payment_methods",
    "billing_payment_method_sync_events",
    "billing_usage_counters",
    "billing_usage_events",
]


@pytest.mark.requirement("DATA-01")
def test_every_required_table_is_declared() -> None:
    assert set(REQUIRED) <= set(metadata.tables)


def _names(table: Table) -> Iterator[str]:
    yield table.name
    yield from table.c.keys()
    for constraint in table.constraints:
        if constraint.name is not None:
            formatted = PREPARER.format_constraint(constraint)
            assert formatted is not None
            yield formatted
    for index in table.indexes:
        yield PREPARER.format_index(index)


@pytest.mark.requirement("DATA-01")
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_names_fit_in_64_characters_and_none_was_cut(table: Table) -> None:
    for name in _names(table):
        assert len(name) <= 64
        # How SQLAlchemy marks a name that it had to cut.
        assert not re.search(r"_[0-9a-f]{4}$", name), name


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_constraint_was_named_by_its_table(table: Table) -> None:
    prefixes = {UniqueConstraint: "uq", CheckConstraint: "ck"}
    for constraint in table.constraints:
        prefix = prefixes.get(type(constraint))
        if prefix:
            name = PREPARER.format_constraint(constraint)
            assert name is not None
            assert name.startswith(f"{prefix}_{table.name}_")


def test_check_names_are_unique_in_the_schema() -> None:
    """MySQL has one namespace for all of them."""
    names = [
        PREPARER.format_constraint(constraint)
        for table in TABLES
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    ]
    assert len(set(names)) == len(names)


FOLDING_IS_MEANT = {"name", "display_name", "description", "email", "checkout_url"}
PROSE = re.compile(r".*(_text|_reason)\Z")
EXPECTED_TYPES: tuple[type[TypeEngine[object]], ...] = (
    ExactText,
    ExactDocument,
    UtcDateTime,
    mysql.ENUM,
    mysql.BIGINT,
    mysql.INTEGER,
    mysql.SMALLINT,
    mysql.MEDIUMBLOB,
    mysql.LONGBLOB,
    Boolean,
)


@pytest.mark.requirement("DATA-01")
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_only_words_for_people_may_fold(table: Table) -> None:
    for column in table.c:
        if isinstance(column.type, EXPECTED_TYPES) or column.name.endswith("_json"):
            continue
        assert column.name in FOLDING_IS_MEANT or PROSE.match(column.name), column


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_times_are_exact_and_no_default_is_a_function(table: Table) -> None:
    for column in table.c:
        if column.name.endswith(("_at", "_until")):
            assert isinstance(column.type, UtcDateTime), column
        if column.server_default is not None and column.computed is None:
            default = getattr(column.server_default, "arg", None)
            assert re.fullmatch(r"[a-z_]+|\d+", str(default)), column
        if column.computed is None:
            assert column.server_onupdate is None, column


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_money_is_whole_minor_units(table: Table) -> None:
    for column in table.c:
        if column.name.endswith("_minor"):
            assert isinstance(column.type, mysql.BIGINT)
            assert column.type.unsigned
            assert "currency" in table.c


@pytest.mark.parametrize(
    ("words", "declared"),
    [
        (SubscriptionStatus, subscriptions.SUBSCRIPTION_STATUSES),
        (SessionStatus, sessions.SESSION_STATUSES),
        (SessionFlow, columns.CHECKOUT_FLOWS),
        (Action, idempotency.ACTIONS),
        (OperationStatus, idempotency.OPERATION_STATUSES),
        (EventStatus, webhook_events.EVENT_STATUSES),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_columns_words_are_the_domains(words: type[StrEnum], declared: tuple[str, ...]) -> None:
    assert declared == tuple(words)


def _words_in(expression: object) -> set[str]:
    return set(re.findall(r"'([a-z_]+)'", str(expression)))


@pytest.mark.requirement("SCOPE-05")
def test_the_blocking_guard_knows_the_domains_blocking_states() -> None:
    computed = sessions.billing_checkout_sessions.c.active_checkout_block_key.computed
    assert computed is not None
    assert _words_in(computed.sqltext) == {"subscription", *BLOCKING}


@pytest.mark.requirement("DATA-04")
def test_the_terminal_check_knows_the_domains_live_states() -> None:
    (check,) = (
        constraint
        for constraint in subscriptions.billing_subscriptions.constraints
        if isinstance(constraint, CheckConstraint)
    )
    assert _words_in(check.sqltext) == set(CURRENT_CAPABLE)


FAMILIES = [
    "identity",
    "entities",
    "catalogue",
    "subscriptions",
    "invoices",
    "webhook_events",
    "idempotency",
    "checkout_sessions",
    "reconciliation",
    "remediation",
    "outbox",
    "payment_methods",
    "usage",
    "consumer_offsets",
    "feed",
]


@pytest.mark.requirement("DATA-07")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_familys_docstring_names_its_writers(family: str) -> None:
    module = importlib.import_module(f"billing_common.storage.tables.{family}")
    tables = [value for value in vars(module).values() if isinstance(value, Table)]
    writers = {service for table in tables for service in WRITERS[table.name]}
    assert module.__doc__ is not None
    words = " ".join(module.__doc__.split())
    for service in writers:
        assert service in words, f"{family}: {service} writes it, the docstring does not say so"
    if not writers:
        assert "by no service" in words


@pytest.mark.requirement("DATA-07")
def test_every_table_has_its_writers_stated() -> None:
    assert set(WRITERS) == set(metadata.tables)
