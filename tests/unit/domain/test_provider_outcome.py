"""What an answer of the provider proves, row by row. Unknown is the default."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.provider_outcome import (
    OUTCOME_TABLE,
    Certainty,
    ProviderFailure,
    classify,
)

NO, UNKNOWN = Certainty.REJECTION, Certainty.UNKNOWN

ROWS = [
    # Refused before execution: nothing was done, and the same request will be refused again.
    (400, "invalid_request_error", "parameter_missing", NO),
    (400, "invalid_request_error", None, NO),
    (401, "invalid_request_error", None, NO),
    (401, None, None, NO),
    (403, "invalid_request_error", None, NO),
    (404, "invalid_request_error", "resource_missing", NO),
    # Declined, and stored under the key.
    (402, "card_error", "card_declined", NO),
    # The key itself is in question: somebody may be running it.
    (400, "idempotency_error", None, UNKNOWN),
    (400, "invalid_request_error", "idempotency_key_in_use", UNKNOWN),
    (400, "invalid_request_error", "lock_timeout", UNKNOWN),
    (409, "invalid_request_error", "lock_timeout", UNKNOWN),
    (409, "idempotency_error", "idempotency_key_in_use", UNKNOWN),
    # Not now, or perhaps done.
    (429, "invalid_request_error", "rate_limit", UNKNOWN),
    (500, "api_error", None, UNKNOWN),
    (502, None, None, UNKNOWN),
    (503, "api_error", None, UNKNOWN),
    (504, None, None, UNKNOWN),
    # No answer at all.
    (None, "no_answer", "TimeoutError", UNKNOWN),
    (None, None, None, UNKNOWN),
    # An answer that we could not read: it was executed.
    (200, "holdfast", "stripe_shape_unexpected", UNKNOWN),
    # What nobody thought of.
    (400, "api_error", None, UNKNOWN),
    (402, "api_error", None, UNKNOWN),
    (404, None, None, UNKNOWN),
    (418, "invalid_request_error", None, UNKNOWN),
    (501, "invalid_request_error", None, UNKNOWN),
]


@pytest.mark.requirement("IDEM-14")
@pytest.mark.parametrize(("http_status", "error_type", "error_code", "certainty"), ROWS)
def test_an_answer_is_classified(
    http_status: int | None, error_type: str | None, error_code: str | None, certainty: Certainty
) -> None:
    assert classify(ProviderFailure(http_status, error_type, error_code)) is certainty


def test_every_row_of_the_table_is_reached_by_an_example() -> None:
    def first_match(status: int | None, kind: str | None, code: str | None) -> int | None:
        for index, row in enumerate(OUTCOME_TABLE):
            if (
                row.http_status == status
                and row.error_type in (None, kind)
                and row.error_code in (None, code)
            ):
                return index
        return None

    assert {first_match(s, t, c) for s, t, c, _ in ROWS} >= set(range(len(OUTCOME_TABLE)))


@given(
    st.none() | st.integers(100, 599),
    st.none() | st.sampled_from(["card_error", "api_error", "idempotency_error"]) | st.text(),
    st.none() | st.text(),
    st.booleans(),
)
def test_only_a_listed_refusal_is_a_refusal(
    status: int | None, kind: str | None, code: str | None, is_replayed: bool
) -> None:
    """Nothing on the side of 2xx, 3xx, 409, 429 or 5xx can ever end an operation as failed."""
    certainty = classify(ProviderFailure(status, kind, code, is_replayed))
    assert certainty is not Certainty.SUCCESS
    if certainty is NO:
        assert status in {400, 401, 402, 403, 404}
