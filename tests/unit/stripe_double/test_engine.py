"""Clock, ids, store, ledger, deadlines, lifecycles, faults: each on its own."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from stripe_double.engine.clock import Clock
from stripe_double.engine.deadlines import Deadline, Deadlines
from stripe_double.engine.errors import ApiError
from stripe_double.engine.fault_script import FaultScript
from stripe_double.engine.faults import Fault, FaultKind
from stripe_double.engine.ids import SHAPES, Ids
from stripe_double.engine.ledger import Ledger
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import changed_fields
from stripe_double.engine.signing import sign
from stripe_double.engine.store import Store
from stripe_double.resources import checkout_sessions, invoices, payment_intents, subscriptions


def test_the_clock_follows_real_time_and_jumps() -> None:
    real = [1000.0]
    clock = Clock(start_seconds=50.0, real_seconds=lambda: real[0])
    real[0] += 5
    clock.advance(100)
    assert clock.now == 155
    frozen = Clock(start_seconds=50.0, ticking=False, real_seconds=lambda: real[0])
    real[0] += 5
    assert frozen.now == 50
    frozen.advance(1.5)
    assert (frozen.now, frozen.now_exact) == (51, 51.5)
    with pytest.raises(ValueError, match="backwards"):
        frozen.advance(-1)
    frozen.restart()
    assert frozen.now == 50


def test_ids_depend_on_seed_kind_and_count_only() -> None:
    first, same, other = Ids("a"), Ids("a"), Ids("b")
    same.next("event")
    drawn = [first.next("customer") for _ in range(500)]
    assert drawn == [same.next("customer") for _ in range(500)]
    assert len(set(drawn)) == 500
    assert other.next("customer") not in drawn
    resumed = Ids("a", counters=first.counters)
    assert resumed.next("customer") not in drawn


@pytest.mark.parametrize("kind", SHAPES)
def test_ids_have_their_shape(kind: str) -> None:
    prefix, length = SHAPES[kind]
    drawn = Ids("a").next(kind)
    assert drawn.startswith(prefix)
    assert len(drawn) == len(prefix) + length
    assert drawn[len(prefix) :].isalnum()


Change = st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", None]))


@given(st.lists(st.tuples(st.booleans(), st.lists(Change, max_size=6)), max_size=8))
def test_an_undone_transaction_leaves_the_store_as_it_was(transactions: Any) -> None:
    store, model = Store(), {}
    for keep, changes in transactions:
        after = dict(model)
        for object_id, customer in changes:
            store.put("invoice", {"id": object_id, "customer": customer})
            after[object_id] = customer
        if keep:
            store.seal()
            model = after
        else:
            store.undo()
        assert {r["id"]: r["customer"] for r in store.oldest("invoice")} == model
        for customer in ("x", "y"):
            indexed = [r["id"] for r in store.newest("invoice", where={"customer": customer})]
            scanned = [r["id"] for r in store.newest("invoice") if r["customer"] == customer]
            assert indexed == scanned


def test_the_ledger_keeps_only_sealed_entries() -> None:
    ledger = Ledger()
    ledger.append("charge", 1, amount=5)
    ledger.undo()
    ledger.append("charge", 2, amount=6)
    assert ledger.entries() == []
    ledger.seal()
    assert ledger.entries("charge", amount=6) == [
        {"seq": 1, "kind": "charge", "at": 2, "amount": 6}
    ]
    ledger.entries()[0]["amount"] = 0
    assert ledger.entries("charge", amount=6) != []


def test_deadlines_come_in_order_and_outdated_ones_are_noticed() -> None:
    deadlines = Deadlines({"thing": Deadline(lambda r: r["due"], lambda _tx, _record: None)})
    for object_id, due in (("b", 20), ("a", 10), ("c", None), ("a", 15)):
        deadlines.observe("thing", {"id": object_id, "due": due})
    assert deadlines.next_due() == 10
    assert deadlines.pop_due(9) is None
    taken = [deadlines.pop_due(30) for _ in range(3)]
    assert taken == [(10, "thing", "a"), (15, "thing", "a"), (20, "thing", "b")]
    assert not deadlines.is_current("thing", {"id": "a", "due": 15}, 10)


def test_of_deadlines_in_one_second_the_older_record_s_comes_first() -> None:
    """Whichever was stored last: a world that was put back acts in the same order."""
    deadlines = Deadlines({"thing": Deadline(lambda r: r["due"], lambda _tx, _record: None)})
    for object_id, position in (("c", 3), ("a", 2), ("b", 1), ("d", 4)):
        deadlines.observe("thing", {"id": object_id, "due": 10}, position)
    taken = [deadlines.pop_due(10) for _ in range(4)]
    assert [entry[2] for entry in taken if entry] == ["b", "a", "c", "d"]


@pytest.mark.parametrize(
    "lifecycle",
    [
        checkout_sessions.LIFECYCLE,
        invoices.LIFECYCLE,
        payment_intents.LIFECYCLE,
        subscriptions.LIFECYCLE,
    ],
    ids=lambda lifecycle: lifecycle.kind,
)
def test_a_lifecycle_allows_its_table_and_nothing_else(lifecycle: Lifecycle) -> None:
    states = {s for s, _ in lifecycle.moves} | set(lifecycle.moves.values())
    actions = {a for _, a in lifecycle.moves}
    for state in states:
        for action in actions:
            if (state, action) in lifecycle.moves:
                assert lifecycle.next(state, action) in states
            else:
                assert not lifecycle.allows(state, action)
                with pytest.raises(ApiError) as caught:
                    lifecycle.next(state, action)
                assert caught.value.status == 400


def test_ended_things_stay_ended() -> None:
    for lifecycle, terminal in (
        (checkout_sessions.LIFECYCLE, {"complete", "expired"}),
        (subscriptions.LIFECYCLE, subscriptions.TERMINAL),
        (payment_intents.LIFECYCLE, {"succeeded", "canceled"}),
        (invoices.LIFECYCLE, {"paid", "void"}),
    ):
        assert not {state for state, _ in lifecycle.moves} & terminal


def test_faults_are_used_up_in_order() -> None:
    script = FaultScript(Fault, lambda: 0.0)
    script.add(Fault(FaultKind.DELAY, operation="a", skip=1))
    script.add(Fault(FaultKind.CONFLICT, times=2))
    taken = [script.take(lambda f: f.suits(frozenset({"a"}), {})) for _ in range(4)]
    assert [fault.kind if fault else None for fault in taken] == [
        FaultKind.CONFLICT,
        FaultKind.DELAY,
        FaultKind.CONFLICT,
        None,
    ]
    assert script.pending() == []


def test_a_mix_picks_as_often_as_it_says_and_the_seed_decides_which() -> None:
    def picked(seed: str) -> list[str | None]:
        ids = Ids(seed)
        script = FaultScript(Fault, lambda: ids.draw("fault"))
        script.set_mix({"rate_limit": 0.1, "drop_after": 0.3}, operation="a", delay_ms=7)
        faults = [script.take(lambda f: f.suits(frozenset({"a"}), {})) for _ in range(2000)]
        assert {fault.delay_ms for fault in faults if fault} == {7}
        return [fault.kind if fault else None for fault in faults]

    first = picked("a")
    assert first == picked("a") != picked("b")
    assert abs(first.count("rate_limit") - 200) < 50
    assert abs(first.count("drop_after") - 600) < 80


def test_a_mix_that_cannot_be_is_refused() -> None:
    script = FaultScript(Fault, lambda: 0.0)
    for chances in ({"rate_limit": 0.6, "delay": 0.5}, {"rate_limit": -0.1}, {"gremlin": 0.1}):
        with pytest.raises(ValueError, match=r"chances|gremlin"):
            script.set_mix(chances)


def test_a_script_goes_on_where_it_stopped() -> None:
    script = FaultScript(Fault, lambda: 0.05)
    script.add(Fault(FaultKind.CONFLICT, times=3, match={"name": "A"}))
    script.set_mix({"rate_limit": 0.1})
    script.take(lambda f: f.suits(frozenset(), {"name": "A"}))
    resumed = FaultScript(Fault, lambda: 0.05)
    resumed.load(json.loads(json.dumps(script.stored())))
    (left,) = resumed.pending()
    assert (left.kind, left.times, left.match) == (FaultKind.CONFLICT, 2, {"name": "A"})
    by_chance = resumed.take(lambda f: f.suits(frozenset(), {}))
    assert by_chance is not None
    assert by_chance.kind is FaultKind.RATE_LIMIT


def test_previous_attributes_are_what_differed() -> None:
    assert changed_fields({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == {"b": 2, "c": None}


@given(st.binary(max_size=200), st.lists(st.text("abc", min_size=1), min_size=1, max_size=2))
def test_signatures_verify_with_the_official_sdk(payload: bytes, secrets: list[str]) -> None:
    body = payload.hex()
    header = sign(body.encode(), secrets, 1_900_000_000)
    for secret in secrets:
        assert stripe.WebhookSignature.verify_header(body, header, secret)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body, header, "other")
