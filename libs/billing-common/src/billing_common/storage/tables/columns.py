"""Columns and references that many tables have, spelled once.

Nothing here has a server function as its default: the application states every time it stores.
Foreign keys are RESTRICT unless a table says otherwise, because the engines allow no other
action on columns that a generated column or a CHECK reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Boolean, Column, Computed, ForeignKeyConstraint, text
from sqlalchemy.dialects import mysql

from billing_common.storage.types import ExactText, UtcDateTime, json_document

PROVIDER_BYTES: Final = 32
CODE_BYTES: Final = 120
# Stripe says ids may grow to 255 characters.
EXTERNAL_ID_BYTES: Final = 255
CLIENT_KEY_BYTES: Final = 191
HASH_BYTES: Final = 64
CURRENCY_BYTES: Final = 3

PROVIDERS: Final = ("stripe",)
BILLING_INTERVALS: Final = ("day", "week", "month", "year")
BILLING_COMPONENTS: Final = ("base", "seat", "metered", "add_on")
USAGE_TYPES: Final = ("licensed", "metered")
CHECKOUT_FLOWS: Final = ("subscription", "one_off")


def identity() -> Column[int]:
    """`id`: the row's own key, given by the server."""
    return Column("id", mysql.BIGINT(unsigned=True), primary_key=True, autoincrement=True)


def row_reference(name: str, *, nullable: bool = False) -> Column[int]:
    """A column that holds another row's id; its foreign key is declared by the table."""
    return Column(name, mysql.BIGINT(unsigned=True), nullable=nullable)


def restrict(
    name: str, columns: Sequence[str], target: str, target_columns: Sequence[str] = ("id",)
) -> ForeignKeyConstraint:
    """The foreign key `name` from `columns` to `target`; the parent cannot go before its child."""
    return _reference(name, columns, target, target_columns, on_delete="RESTRICT")


def set_null(name: str, column: str, target: str) -> ForeignKeyConstraint:
    """The foreign key `name`: the (nullable) column empties when its parent is deleted."""
    return _reference(name, (column,), target, ("id",), on_delete="SET NULL")


def created_and_updated() -> tuple[Column[Any], Column[Any]]:
    """`created_at`, `updated_at`: stated by whoever writes the row."""
    return moment("created_at", nullable=False), moment("updated_at", nullable=False)


def moment(name: str, *, nullable: bool = True) -> Column[Any]:
    """An instant in UTC, to the microsecond."""
    return Column(name, UtcDateTime(), nullable=nullable)


def exact(name: str, length_bytes: int, *, nullable: bool = False) -> Column[str]:
    """An identifier compared byte for byte."""
    return Column(name, ExactText(length_bytes), nullable=nullable)


def external_id(name: str, *, nullable: bool = False) -> Column[str]:
    """An identifier that somebody else gave."""
    return exact(name, EXTERNAL_ID_BYTES, nullable=nullable)


def provider() -> Column[str]:
    """Which payment provider the row belongs to."""
    return exact("provider", PROVIDER_BYTES)


def operation_key(*, nullable: bool = True) -> Column[str]:
    """The operation (one client intent) that caused the row: HMAC-SHA256, lower-case hex."""
    return exact("operation_key", HASH_BYTES, nullable=nullable)


def amount_minor(name: str) -> Column[int]:
    """Money in minor units of the row's currency, 0 or more."""
    return Column(name, mysql.BIGINT(unsigned=True), nullable=False, server_default=text("0"))


def currency() -> Column[str]:
    """ISO 4217 code in lower case, as Stripe writes it."""
    return exact("currency", CURRENCY_BYTES)


def count(name: str) -> Column[int]:
    """How many so far, from 0."""
    return Column(name, mysql.INTEGER(unsigned=True), nullable=False, server_default=text("0"))


def flag(name: str, *, default: bool) -> Column[bool]:
    """A yes or no that is always known."""
    return Column(name, Boolean(), nullable=False, server_default=text("1" if default else "0"))


def metadata_json() -> Column[Any]:
    """What is worth keeping and has no column of its own."""
    return Column("metadata_json", json_document(), nullable=True)


def lease_version() -> Column[int]:
    """Grows by one with every lease taken: the fence of a compare-and-set."""
    return Column(
        "lease_version", mysql.INTEGER(unsigned=True), nullable=False, server_default=text("1")
    )


def lease_owner(name: str = "lease_owner") -> Column[str]:
    """Which process holds the lease, or NULL."""
    return exact(name, CODE_BYTES, nullable=True)


def watermark() -> tuple[Column[Any], Column[str], Column[int]]:
    """How new the row's truth is, and the fence of a fetch.

    The pair names the provider event that was applied last (provider time only, never ours).
    `row_version` grows with every write; a fetch started at another version is stale.
    """
    return (
        moment("last_provider_event_created_at"),
        external_id("last_provider_event_id", nullable=True),
        Column(
            "row_version",
            mysql.BIGINT(unsigned=True),
            nullable=False,
            server_default=text("1"),
        ),
    )


def guard(name: str, kind: Any, *, when: str, then: str) -> Column[Any]:
    """A stored generated column that has a value only in some states.

    With a unique key on it, at most one row per value is in those states (NULLs do not clash).
    """
    return Column(
        name, kind, Computed(f"(case when {when} then {then} end)", persisted=True), nullable=True
    )


def _reference(
    name: str,
    columns: Sequence[str],
    target: str,
    target_columns: Sequence[str],
    *,
    on_delete: str,
) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        list(columns),
        [f"{target}.{column}" for column in target_columns],
        name=name,
        ondelete=on_delete,
    )
