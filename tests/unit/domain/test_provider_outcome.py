"""What an answer of the provider proves, row by row. Unknown is the default."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.provider_outcome import (
    CERTAINTY,
    OUTCOME_TABLE,
    Certainty,
    Finding,
    ProviderFailure,
    classify,
    judge,
)

F = Finding
INVALID, CARD, API, KEY = "invalid_request_error", "card_error", "api_error", "idempotency_error"
RATE = "rate_limit"
Said = tuple[int | None, str | None, str | None, bool, bool | None]

# One example per row of the table, in the table's order, and what it must find.
ROWS: list[tuple[Said, Finding]] = [
    ((200, "holdfast", "stripe_shape_unexpected", False, None), F.UNKNOWN),
    ((200, None, None, False, None), F.EXECUTED),
    ((400, KEY, None, False, None), F.KEY_REUSED),
    ((400, INVALID, None, False, True), F.UNKNOWN),
    ((400, INVALID, "idempotency_key_in_use", False, None), F.UNKNOWN),
    ((400, INVALID, "lock_timeout", False, None), F.UNKNOWN),
    ((400, INVALID, "parameter_missing", False, None), F.REFUSED),
    ((401, INVALID, None, False, None), F.REFUSED_AT_THE_DOOR),
    ((402, CARD, "card_declined", False, None), F.REFUSED),
    ((403, INVALID, None, False, None), F.REFUSED_AT_THE_DOOR),
    ((404, INVALID, "resource_missing", False, None), F.REFUSED),
    ((409, INVALID, "lock_timeout", False, None), F.UNKNOWN),
    ((429, INVALID, RATE, False, None), F.UNKNOWN),
    ((500, API, None, True, None), F.STORED_ERROR),
    ((500, API, None, False, False), F.STORED_ERROR),
    ((500, API, None, False, None), F.UNKNOWN),
    ((502, None, None, False, None), F.UNKNOWN),
    ((503, API, None, False, None), F.UNKNOWN),
    ((504, None, None, False, None), F.UNKNOWN),
]
# What tempts, and what nobody thought of.
MORE: list[tuple[Said, Finding]] = [
    ((201, None, None, True, None), F.EXECUTED),
    ((200, "holdfast", "answer_unreadable", True, True), F.UNKNOWN),
    ((401, None, None, False, False), F.REFUSED_AT_THE_DOOR),
    ((402, CARD, "card_declined", True, False), F.REFUSED),
    ((402, CARD, "card_declined", False, True), F.UNKNOWN),
    ((404, INVALID, "resource_missing", True, False), F.REFUSED),
    ((409, KEY, "idempotency_key_in_use", False, True), F.UNKNOWN),
    ((409, INVALID, "lock_timeout", False, False), F.UNKNOWN),
    ((429, INVALID, RATE, False, False), F.UNKNOWN),
    ((500, API, None, False, True), F.UNKNOWN),
    ((503, API, None, True, True), F.STORED_ERROR),
    ((503, API, None, False, False), F.UNKNOWN),
    ((None, "no_answer", "TimeoutError", False, None), F.UNKNOWN),
    ((None, None, None, False, None), F.UNKNOWN),
    ((301, None, None, False, None), F.UNKNOWN),
    ((400, API, None, False, None), F.UNKNOWN),
    ((402, API, None, False, None), F.UNKNOWN),
    ((404, None, None, False, None), F.UNKNOWN),
    ((418, INVALID, None, False, None), F.UNKNOWN),
    ((501, INVALID, None, False, None), F.UNKNOWN),
]


def answer(said: Said) -> ProviderFailure:
    http_status, error_type, error_code, is_replayed, should_retry = said
    return ProviderFailure(
        http_status, error_type, error_code, is_replayed, should_retry=should_retry
    )


@pytest.mark.requirement("IDEM-14")
@pytest.mark.parametrize("number", range(len(OUTCOME_TABLE)))
def test_each_row_is_the_first_to_match_its_example(number: int) -> None:
    said, finding = ROWS[number]

    first = next(row for row in OUTCOME_TABLE if row.matches(answer(said)))

    assert first is OUTCOME_TABLE[number]
    assert judge(answer(said)) is first.finding is finding
    assert first.reason


def test_every_row_has_an_example() -> None:
    assert len(ROWS) == len(OUTCOME_TABLE)


@pytest.mark.requirement("IDEM-14")
@pytest.mark.parametrize(("said", "finding"), MORE)
def test_an_answer_is_judged(said: Said, finding: Finding) -> None:
    assert judge(answer(said)) is finding
    assert classify(answer(said)) is CERTAINTY[finding]


def test_every_finding_has_a_certainty() -> None:
    assert set(CERTAINTY) == set(Finding)


answers = st.builds(
    ProviderFailure,
    st.none() | st.integers(100, 599),
    st.none() | st.sampled_from([CARD, API, KEY, INVALID, "holdfast"]) | st.text(),
    st.none() | st.sampled_from(["lock_timeout", "idempotency_key_in_use"]) | st.text(),
    st.booleans(),
    st.none(),
    st.none() | st.booleans(),
)


@pytest.mark.requirement("IDEM-14")
@given(answers)
def test_only_a_listed_refusal_is_a_refusal(said: ProviderFailure) -> None:
    """Nothing on the side of 2xx, 3xx, 409, 429 or 5xx can ever end an operation as failed."""
    certainty = classify(said)
    if certainty is Certainty.REJECTION:
        assert said.http_status in {400, 401, 402, 403, 404}
        assert said.should_retry is not True
    if certainty is Certainty.SUCCESS:
        assert said.http_status is not None
        assert said.http_status // 100 == 2
        assert said.error_type != "holdfast"
    if said.http_status is None:
        assert certainty is Certainty.UNKNOWN
