"""The closed set of failure codes: complete, and shaped for machines and people."""

from __future__ import annotations

import json
import re

import pytest

from billing_common.contracts.problem import problem_body
from billing_common.domain.failure_codes import FAILURES, FailureCode

each_code = pytest.mark.parametrize("code", list(FailureCode), ids=lambda code: code.value)


@pytest.mark.requirement("SCOPE-11")
def test_every_code_has_exactly_one_meaning() -> None:
    assert set(FAILURES) == set(FailureCode)


@each_code
def test_a_code_is_snake_case_and_fits_its_column(code: FailureCode) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code.value)
    assert len(code.value) <= 96
    assert code.name.lower() == code.value


@each_code
def test_a_message_is_a_sentence_and_its_status_an_error(code: FailureCode) -> None:
    failure = FAILURES[code]
    assert 400 <= failure.http_status <= 599
    for sentence in (failure.title, failure.way_out):
        assert sentence.endswith(".")
        assert sentence[0].isupper()


@each_code
def test_what_our_side_could_not_do_may_be_tried_again(code: FailureCode) -> None:
    """502 is the provider's refusal, stored; every other 5xx says: same key, again."""
    failure = FAILURES[code]
    if failure.http_status >= 500 and failure.http_status != 502:
        assert failure.is_transient


# Never stored under the client's key, so that the key is not burnt by a passing block.
BLOCKS = {
    FailureCode.REQUEST_IN_PROGRESS,
    FailureCode.CHECKOUT_IN_PROGRESS,
    FailureCode.CHECKOUT_SESSION_OPEN,
    FailureCode.CHECKOUT_COMPLETION_PENDING,
    FailureCode.CHECKOUT_RECOVERY_VERIFICATION_PENDING,
}


def test_blocks_that_pass_are_transient_and_verdicts_are_not() -> None:
    assert all(FAILURES[code].is_transient for code in BLOCKS)
    for code in (
        FailureCode.SUBSCRIPTION_EXISTS_USE_PORTAL,
        FailureCode.IDEMPOTENCY_CONFLICT,
        FailureCode.CHECKOUT_PROVIDER_ERROR,
        FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED,
        FailureCode.CHECKOUT_REPLAY_PROVENANCE_MISMATCH,
    ):
        assert not FAILURES[code].is_transient


@pytest.mark.requirement("SCOPE-11")
@each_code
def test_a_code_is_the_error_code_of_the_api(code: FailureCode) -> None:
    body = json.loads(problem_body(code, request_id="r-1", operation_key="o" * 64))
    assert body["error"]["code"] == code.value
    assert body["status"] == FAILURES[code].http_status
    assert body["title"] == FAILURES[code].title
    assert body["error"]["message"] == FAILURES[code].message
    assert body["error"]["operation_key"] == "o" * 64
