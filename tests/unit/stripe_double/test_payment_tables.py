"""The payment state tables themselves, and the one decision that feeds them."""

from __future__ import annotations

from typing import Any

import pytest

from stripe_double.engine.errors import ApiError
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.resources import charges, disputes, payment_intents, refunds, setup_intents
from stripe_double.resources.payment_intents import Move, decide
from stripe_double.resources.test_accounts import ACCOUNTS
from stripe_double.resources.test_cards import CARDS, card_named, card_of

# (table, states it begins in, states it ends in, every state that Stripe's API knows)
TABLES = {
    "payment_intent": (
        payment_intents.LIFECYCLE,
        {"requires_payment_method"},
        {"succeeded", "canceled"},
        {
            *("requires_payment_method", "requires_confirmation", "requires_action"),
            *("processing", "requires_capture", "canceled", "succeeded"),
        },
    ),
    "setup_intent": (
        setup_intents.LIFECYCLE,
        {"requires_payment_method"},
        {"succeeded", "canceled"},
        {
            *("requires_payment_method", "requires_confirmation", "requires_action"),
            *("canceled", "succeeded"),
        },
    ),
    "refund": (
        refunds.LIFECYCLE,
        {"pending", "succeeded", "requires_action"},
        {"failed", "canceled"},
        {"pending", "requires_action", "succeeded", "failed", "canceled"},
    ),
    "dispute": (
        disputes.LIFECYCLE,
        {"needs_response", "warning_needs_response"},
        {"won", "lost", "warning_closed"},
        {
            *("warning_needs_response", "warning_under_review", "warning_closed"),
            *("needs_response", "under_review", "won", "lost"),
        },
    ),
    "charge": (
        charges.LIFECYCLE,
        {"pending"},
        {"succeeded", "failed"},
        {"pending", "succeeded", "failed"},
    ),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_reaches_every_state_and_leaves_none_that_ends(kind: str) -> None:
    table, begins, ends, states = TABLES[kind]
    reached, edge = set(begins), set(begins)
    while edge:
        edge = {after for (state, _), after in table.moves.items() if state in edge} - reached
        reached |= edge
    assert reached == states
    assert {state for state, _ in table.moves} == states - ends


@pytest.mark.parametrize("kind", TABLES)
def test_what_is_not_in_a_table_is_refused(kind: str) -> None:
    table: Lifecycle = TABLES[kind][0]
    states = TABLES[kind][3]
    actions = {action for _, action in table.moves}
    for state in states:
        for action in actions:
            if table.allows(state, action):
                assert table.next(state, action) in states
            else:
                with pytest.raises(ApiError):
                    table.next(state, action)


def bank(number: str, **more: Any) -> dict[str, Any]:
    return {**CARDS[number].behaviour, "set_up": False, **more}


@pytest.mark.parametrize(
    ("number", "more", "how", "move"),
    [
        ("4242424242424242", {}, {}, Move("succeed")),
        ("4242424242424242", {}, {"capture_method": "manual"}, Move("authorize")),
        ("4000000000000002", {}, {}, Move("fail", "generic_decline")),
        ("4000000000000341", {}, {}, Move("fail", "generic_decline")),
        ("4000002500003155", {}, {}, Move("require action")),
        ("4000002500003155", {}, {"authenticated": True}, Move("succeed")),
        ("4000002500003155", {"set_up": True}, {"off_session": True}, Move("succeed")),
        ("4000002760003184", {"set_up": True}, {}, Move("require action")),
        (
            "4000002760003184",
            {"set_up": True},
            {"off_session": True},
            Move("fail", "authentication_required"),
        ),
        (
            "4000008260003178",
            {},
            {"authenticated": True},
            Move("fail", "insufficient_funds"),
        ),
    ],
)
def test_what_the_bank_makes_of_an_attempt(
    number: str, more: dict[str, Any], how: dict[str, Any], move: Move
) -> None:
    assert decide(bank(number, **more), **how) == move


def test_every_account_is_processed_first() -> None:
    for account in ACCOUNTS.values():
        assert decide({**account.behaviour, "set_up": False}) == Move("process")


def test_cards_are_found_by_number_and_by_name() -> None:
    assert card_of("4242 4242 4242 4242").brand == "visa"
    with pytest.raises(ApiError) as caught:
        card_of("4111111111111111")
    assert (caught.value.status, caught.value.code) == (402, "incorrect_number")
    for name in ("pm_card_visa", "tok_visa"):
        assert card_named(name) is CARDS["4242424242424242"]
    for name in ("tok_visa_chargeDeclined", "pm_card_chargeDeclined"):
        assert card_named(name) is CARDS["4000000000000002"]
    assert card_named("pm_1abc") is None
