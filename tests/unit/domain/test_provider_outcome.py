"""The outcome table, row by row; what is not in it is unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.provider_outcome import (
    OUTCOME_TABLE,
    Certainty,
    OutcomeRow,
    ProviderFailure,
    classify,
)

REJECTED, UNKNOWN = Certainty.REJECTION, Certainty.UNKNOWN


@pytest.mark.requirement("IDEM-14")
@pytest.mark.parametrize(
    ("http_status", "error_type", "error_code", "certainty"),
    [
        (400, "invalid_request_error", "parameter_unknown", REJECTED),
        (400, "invalid_request_error", None, REJECTED),
        (401, "invalid_request_error", None, REJECTED),
        (402, "card_error", "card_declined", REJECTED),
        (403, "invalid_request_error", None, REJECTED),
        (404, "invalid_request_error", "resource_missing", REJECTED),
        # our bug, not the client's: never answered as a refusal
        (400, "idempotency_error", None, UNKNOWN),
        (400, "invalid_request_error", "idempotency_key_in_use", UNKNOWN),
        (400, "invalid_request_error", "lock_timeout", UNKNOWN),
        (409, "idempotency_error", "idempotency_key_in_use", UNKNOWN),
        (409, "invalid_request_error", "lock_timeout", UNKNOWN),
        (429, "invalid_request_error", "rate_limit", UNKNOWN),
        (500, "api_error", None, UNKNOWN),
        (502, None, None, UNKNOWN),
        (503, "api_error", None, UNKNOWN),
        (504, None, None, UNKNOWN),
        # no answer, or one that nobody has thought of
        (None, "no_answer", "TimeoutError", UNKNOWN),
        (None, "no_answer", "ConnectionResetError", UNKNOWN),
        (200, "holdfast", "stripe_shape_unexpected", UNKNOWN),
        (400, "api_error", None, UNKNOWN),
        (400, None, None, UNKNOWN),
        (404, None, None, UNKNOWN),
        (402, "invalid_request_error", None, UNKNOWN),
        (418, "invalid_request_error", None, UNKNOWN),
        (301, None, None, UNKNOWN),
    ],
)
def test_what_an_answer_proves(
    http_status: int | None, error_type: str | None, error_code: str | None, certainty: Certainty
) -> None:
    assert classify(ProviderFailure(http_status, error_type, error_code)) is certainty


@pytest.mark.parametrize("row", OUTCOME_TABLE, ids=lambda row: f"{row.http_status} {row.reason}")
def test_every_row_is_reached(row: OutcomeRow) -> None:
    failure = ProviderFailure(row.http_status, row.error_type, row.error_code)

    assert classify(failure) is row.certainty
    assert row.reason


@pytest.mark.requirement("IDEM-14")
@given(
    http_status=st.none() | st.integers(100, 599),
    error_type=st.none() | st.text(),
    error_code=st.none() | st.text(),
)
def test_a_rejection_is_always_a_listed_4xx(
    http_status: int | None, error_type: str | None, error_code: str | None
) -> None:
    verdict = classify(ProviderFailure(http_status, error_type, error_code))

    assert verdict is not Certainty.SUCCESS
    if verdict is Certainty.REJECTION:
        assert http_status in {400, 401, 402, 403, 404}
