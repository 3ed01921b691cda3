"""Refuses a database server that would lose, fold or reorder what Holdfast stores.

Asked once at start, through the engine that the service will use, so that session settings are
those of its own connections. Every wrong setting is told at once, each with its way out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing_common.domain.errors import BillingError
from billing_common.storage.tables import metadata
from billing_common.storage.types import ExactDocument, ExactText

VERSION_FLOORS: Final[Mapping[str, tuple[int, int]]] = {"MariaDB": (10, 11), "MySQL": (8, 4)}
LOCK_WAIT_SECONDS_MAX: Final = 10
_BINARY_TYPES: Final = frozenset({"varbinary", "mediumblob", "longblob"})
_NEEDED_MODES: Final = frozenset(
    {"STRICT_TRANS_TABLES", "ERROR_FOR_DIVISION_BY_ZERO", "NO_ENGINE_SUBSTITUTION"}
)
# The driver escapes with backslashes and quotes identifiers with backticks.
_FORBIDDEN_MODES: Final = frozenset(
    {"NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "PAD_CHAR_TO_FULL_LENGTH"}
)
_VARIABLES: Final = (
    "version",
    "transaction_isolation",
    "tx_isolation",
    "sql_mode",
    "time_zone",
    "innodb_flush_log_at_trx_commit",
    "innodb_doublewrite",
    "innodb_rollback_on_timeout",
    "innodb_deadlock_detect",
    "innodb_lock_wait_timeout",
    "lock_wait_timeout",
    "log_bin",
    "sync_binlog",
    "binlog_format",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What the server is, once it was found safe."""

    product: str  # MariaDB or MySQL
    version: tuple[int, int, int]
    version_text: str
    binary_log_is_on: bool
    schema_revision: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongSetting:
    """One setting that is not what it must be."""

    name: str
    found: str
    needed: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.name} is {self.found}, must be {self.needed}. {self.way_out}"


class UnsafeDatabaseServer(BillingError):  # noqa: N818 - exceptions are facts here
    """The server would lose or fold data. `wrong_settings` holds every reason."""

    code = "unsafe_database_server"

    def __init__(self, wrong_settings: tuple[WrongSetting, ...]) -> None:
        lines = "\n".join(f"- {setting}" for setting in wrong_settings)
        super().__init__(f"the database server is not safe for Holdfast:\n{lines}")
        self.wrong_settings = wrong_settings


@dataclass(frozen=True, slots=True)
class _Rule:
    variable: str
    is_right: Callable[[str], bool]
    needed: str
    way_out: str


def _one_of(*values: str) -> Callable[[str], bool]:
    return lambda found: found.upper() in values


def _at_most(seconds: int) -> Callable[[str], bool]:
    return lambda found: found.isdigit() and int(found) <= seconds


def _set_on_server(option: str) -> str:
    return f"Set {option} in the server's [mysqld] section and restart it."


_OURS: Final = "Connect through billing_common.storage.engine.make_engine, which sets it."

_RULES: Final = (
    _Rule(
        "innodb_flush_log_at_trx_commit",
        _one_of("1"),
        "1 (a committed row survives a crash)",
        _set_on_server("innodb_flush_log_at_trx_commit=1"),
    ),
    _Rule(
        "innodb_doublewrite",
        # Not MySQL's DETECT_ONLY nor MariaDB's `fast`: they cannot always repair a torn page.
        _one_of("ON", "1", "DETECT_AND_RECOVER"),
        "ON (a torn page is repaired)",
        _set_on_server("innodb_doublewrite=ON"),
    ),
    _Rule(
        "innodb_rollback_on_timeout",
        _one_of("ON", "1"),
        "ON (a lock timeout undoes the transaction, not one statement of it)",
        _set_on_server("innodb_rollback_on_timeout=ON"),
    ),
    _Rule(
        "innodb_deadlock_detect",
        _one_of("ON", "1"),
        "ON",
        _set_on_server("innodb_deadlock_detect=ON"),
    ),
    _Rule("time_zone", _one_of("+00:00", "UTC"), "+00:00", _OURS),
    _Rule(
        "innodb_lock_wait_timeout",
        _at_most(LOCK_WAIT_SECONDS_MAX),
        f"at most {LOCK_WAIT_SECONDS_MAX} s",
        _OURS,
    ),
    _Rule(
        "lock_wait_timeout",
        _at_most(LOCK_WAIT_SECONDS_MAX),
        f"at most {LOCK_WAIT_SECONDS_MAX} s",
        _OURS,
    ),
)


async def assert_server_is_safe(engine: AsyncEngine, *, production: bool = True) -> ServerFacts:
    """What the server is. Raises UnsafeDatabaseServer with every reason when it is not safe.

    `production=False` (test, development) allows a server without a binary log; a binary log that
    is on must be safe everywhere. The schema must have been migrated already.
    """
    async with engine.connect() as connection:
        variables = await _read_variables(connection)
        columns = await _read_column_types(connection)
        revision = await _read_revision(connection)
    wrong = (*find_wrong_settings(variables, production=production), *_wrong_columns(columns))
    if wrong:
        raise UnsafeDatabaseServer(wrong)
    product, version = _version(variables["version"])
    return ServerFacts(
        product=product,
        version=version,
        version_text=variables["version"],
        binary_log_is_on=variables.get("log_bin") == "ON",
        schema_revision=revision,
    )


def find_wrong_settings(
    variables: Mapping[str, str], *, production: bool
) -> tuple[WrongSetting, ...]:
    """Every reason why a server with these session variables is not safe; none when it is."""
    return (
        *_wrong_version(variables),
        *_wrong_session(variables),
        *_wrong_values(variables),
        *_wrong_binary_log(variables, production=production),
    )


async def _read_variables(connection: AsyncConnection) -> dict[str, str]:
    # A variable that the product does not have is simply absent from the answer.
    names = ", ".join(f"'{name}'" for name in _VARIABLES)
    rows = await connection.execute(
        text(f"SHOW SESSION VARIABLES WHERE Variable_name IN ({names})")
    )
    return {str(name).lower(): str(value) for name, value in rows}


async def _read_column_types(connection: AsyncConnection) -> dict[tuple[str, str], str]:
    rows = await connection.execute(
        text(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = DATABASE()"
        )
    )
    return {(str(table), str(column)): str(kind).lower() for table, column, kind in rows}


async def _read_revision(connection: AsyncConnection) -> str | None:
    found = await connection.execute(
        text(
            "SELECT 1 FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name = 'alembic_version'"
        )
    )
    if found.first() is None:
        return None
    revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if revision is None else str(revision)


def _version(version_text: str) -> tuple[str, tuple[int, int, int]]:
    numbers = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version_text)
    major, minor, patch = numbers.groups(default="0") if numbers else ("0", "0", "0")
    product = "MariaDB" if "mariadb" in version_text.lower() else "MySQL"
    return product, (int(major), int(minor), int(patch))


def _wrong_version(variables: Mapping[str, str]) -> Iterator[WrongSetting]:
    product, version = _version(variables.get("version", ""))
    floor = VERSION_FLOORS[product]
    if version[:2] < floor:
        yield WrongSetting(
            name="version",
            found=f"{product} {variables.get('version', 'unknown')}",
            needed=f"{product} {floor[0]}.{floor[1]} or newer",
            way_out="Upgrade the server: older ones lack CHECK, SKIP LOCKED or guards we rely on.",
        )


def _wrong_session(variables: Mapping[str, str]) -> Iterator[WrongSetting]:
    # MariaDB before 11.1 knows only the old name.
    isolation = variables.get("transaction_isolation", variables.get("tx_isolation", "unknown"))
    if isolation != "READ-COMMITTED":
        yield WrongSetting(
            name="transaction_isolation", found=isolation, needed="READ-COMMITTED", way_out=_OURS
        )
    modes = frozenset(variables.get("sql_mode", "").split(","))
    strict = modes | ({"STRICT_TRANS_TABLES"} if "STRICT_ALL_TABLES" in modes else set())
    for mode in sorted(_NEEDED_MODES - strict):
        yield WrongSetting(
            name="sql_mode", found=f"without {mode}", needed=f"one with {mode}", way_out=_OURS
        )
    for mode in sorted(_FORBIDDEN_MODES & modes):
        yield WrongSetting(
            name="sql_mode", found=f"with {mode}", needed=f"one without {mode}", way_out=_OURS
        )


def _wrong_values(variables: Mapping[str, str]) -> Iterator[WrongSetting]:
    for rule in _RULES:
        found = variables.get(rule.variable, "unknown")
        if not rule.is_right(found):
            yield WrongSetting(
                name=rule.variable, found=found, needed=rule.needed, way_out=rule.way_out
            )


def _wrong_binary_log(variables: Mapping[str, str], *, production: bool) -> Iterator[WrongSetting]:
    if variables.get("log_bin", "OFF") != "ON":
        if production:
            yield WrongSetting(
                name="log_bin",
                found="OFF",
                needed="ON in production (point-in-time recovery and replicas need it)",
                way_out=_set_on_server("log_bin=binlog and server_id=1"),
            )
        return
    if variables.get("sync_binlog") != "1":
        yield WrongSetting(
            name="sync_binlog",
            found=variables.get("sync_binlog", "unknown"),
            needed="1 (the binary log holds every committed transaction)",
            way_out=_set_on_server("sync_binlog=1"),
        )
    # A server that no longer has the variable writes rows only.
    if variables.get("binlog_format", "ROW") != "ROW":
        yield WrongSetting(
            name="binlog_format",
            found=variables["binlog_format"],
            needed="ROW (READ COMMITTED is not safe with statements)",
            way_out=_set_on_server("binlog_format=ROW"),
        )


def _wrong_columns(types: Mapping[tuple[str, str], str]) -> Iterator[WrongSetting]:
    """Columns of identifiers that are missing or would fold case or spaces."""
    tables = {table for table, _ in types}
    for name, table in metadata.tables.items():
        if name not in tables:
            yield WrongSetting(
                name=f"table {name}",
                found="missing",
                needed="there",
                way_out="Run the migration job: python -m billing_common.storage.migrate.",
            )
            continue
        for column in table.columns:
            if not isinstance(column.type, ExactText | ExactDocument):
                continue
            found = types.get((name, column.name), "missing")
            if found not in _BINARY_TYPES:
                yield WrongSetting(
                    name=f"column {name}.{column.name}",
                    found=found,
                    needed="a binary type (identifiers keep their case and spaces)",
                    way_out="Run the migration job; if it is up to date, the schema was altered.",
                )
