"""Which errors are the event's fault, and which are waited out."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError, StatementError

from billing_common.domain.errors import BugError
from billing_common.messaging.errors import BrokerUnavailable, OffsetFenced, OffsetGap
from billing_common.storage.database_errors import CommitOutcomeUnknown, DatabaseUnavailable
from projection.decisions.event import RefusalCode
from projection.handlers.refusals import refusal_of


def server_error(number: int) -> DBAPIError:
    return DBAPIError("insert", {"secret": "payload"}, Exception(number, "quotes 'the input'"))


@pytest.mark.parametrize("number", [1062, 1264, 1406, 1452, 3819, 4025])
def test_a_refused_value_is_the_events_fault(number: int) -> None:
    refused = refusal_of(server_error(number))
    assert refused is not None
    assert refused.code is RefusalCode.STORE_REFUSED
    assert refused.message == f"DBAPIError {number}"


def test_a_value_that_no_column_type_takes_is_the_events_fault() -> None:
    refused = refusal_of(StatementError("too long", "insert", {}, ValueError("x")))
    assert refused is not None
    assert refused.code is RefusalCode.STORE_REFUSED


@pytest.mark.parametrize(
    "error",
    [
        server_error(1142),  # a missing grant
        server_error(1146),  # a missing table
        server_error(1021),  # a full disk
        DatabaseUnavailable("x"),
        CommitOutcomeUnknown("x"),
        BrokerUnavailable("x"),
        OffsetFenced("x"),
        OffsetGap(7),
    ],
)
def test_the_worlds_errors_are_waited_out(error: Exception) -> None:
    assert refusal_of(error) is None


@pytest.mark.parametrize("error", [BugError("x"), KeyError("x"), AssertionError()])
def test_a_defect_fails_its_event_and_names_only_its_kind(error: Exception) -> None:
    refused = refusal_of(error)
    assert refused is not None
    assert (refused.code, refused.message) == (RefusalCode.DEFECT, type(error).__name__)
