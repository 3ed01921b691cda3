"""Knows whether this task holds a database transaction, so that no network call happens inside.

A network call in a transaction holds row locks for as long as somebody else's server likes. The
Stripe client and the Kafka producer ask here before every call; an open transaction is a bug and
raises, in production too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from billing_common.domain.errors import BugError

_open_transaction: ContextVar[str | None] = ContextVar("open_transaction", default=None)


class NetworkCallInsideTransaction(BugError):  # noqa: N818 - exceptions are facts here
    """Code tried to leave the process while a database transaction was open."""

    code = "network_call_inside_transaction"


@contextmanager
def open_transaction(name: str) -> Iterator[None]:
    """Marks the current task as being inside the named transaction. They do not nest."""
    outer = _open_transaction.get()
    if outer is not None:
        raise BugError(f"transaction {name!r} was opened inside transaction {outer!r}")
    token = _open_transaction.set(name)
    try:
        yield
    finally:
        _open_transaction.reset(token)


def assert_no_open_transaction(call: str) -> None:
    """Raises NetworkCallInsideTransaction when a transaction is open in this task."""
    name = _open_transaction.get()
    if name is not None:
        raise NetworkCallInsideTransaction(f"{call} was attempted inside transaction {name!r}")
