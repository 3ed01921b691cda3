"""What a driver error means, decided by its number: classes differ between MySQL and MariaDB."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy.exc import DBAPIError, StatementError

from billing_common.domain.errors import TransientError

DUPLICATE_KEY: Final = 1062
# Deadlock, lock wait timeout, record changed since last read (MariaDB), NOWAIT lock (MySQL).
RETRYABLE: Final = frozenset({1213, 1205, 1020, 3572})
# Server or connection gone, read-only after failover, too many connections.
CONNECTION_LOST: Final = frozenset({2002, 2003, 2006, 2013, 2014, 2055, 1040, 1053, 1290, 1927})
# A value that no retry makes fit: null, truncated, too long, out of range, not a time, wrong
# character set, wrong type; duplicate, foreign key, CHECK (MySQL, MariaDB).
VALUE_REFUSED: Final = frozenset(
    {1048, 1265, 1406, 1264, 1292, 1366, 1367, 1062, 1451, 1452, 3819, 4025}
)

# Anchored: the message quotes the duplicate value first, and that may come from outside.
_KEY_NAME = re.compile(r"for key '(?:[^'.]+\.)?([^'.]+)'\Z")


class DatabaseUnavailable(TransientError):  # noqa: N818 - exceptions are facts here
    """The database did not answer, or kept losing locks. Nothing of this closure is stored."""

    code = "database_unavailable"


class CommitOutcomeUnknown(TransientError):  # noqa: N818
    """COMMIT was sent and its answer lost: the transaction may or may not be stored.

    The way out is to read again by the row's own key; never to assume it failed.
    """

    code = "commit_outcome_unknown"


def error_number(error: BaseException) -> int | None:
    """The server's or driver's error number, or None when there is none."""
    if not isinstance(error, DBAPIError) or error.orig is None or not error.orig.args:
        return None
    number = error.orig.args[0]
    return number if isinstance(number, int) else None


def is_connection_lost(error: BaseException) -> bool:
    """Whether the statement's fate is open because the connection is gone."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return error_number(error) in CONNECTION_LOST or isinstance(error, ConnectionError)


def is_value_refused(error: BaseException) -> bool:
    """Whether the server, or a column type before it, refused a value: the same rows will always
    be refused. Other errors of a statement (a missing grant, a full disk) are the world's."""
    if isinstance(error, DBAPIError):
        return error_number(error) in VALUE_REFUSED
    return isinstance(error, StatementError)


def duplicate_key_name(error: BaseException) -> str | None:
    """The unique key that refused the row, without its table, or None for other errors."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return None
    if error_number(error) != DUPLICATE_KEY:
        return None
    found = _KEY_NAME.search(str(error.orig.args[-1]))
    return found.group(1) if found else None
