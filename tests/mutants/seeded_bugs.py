"""Bugs that would cost money or trust, as data: where, what is replaced by what, who must see it.

`old` stands exactly once in the file; an architecture test keeps it so, and keeps the named tests
in existence. `make mutants` applies each to a scratch copy and wants a named test to fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_CHECKOUT: Final = "services/checkout/src/checkout"
_COMMON: Final = "libs/billing-common/src/billing_common"
_PROJECTION: Final = "services/projection/src/projection"
_AT: Final = "tests/integration/checkout"
_UNIT: Final = "tests/unit/checkout"


@dataclass(frozen=True, slots=True)
class SeededBug:
    """`tests`: pytest node ids, any of which must turn red."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


BUGS: Final = (
    SeededBug(
        "a fresh provider key for every recovery",
        f"{_CHECKOUT}/handlers/provider_steps.py",
        "provider_idempotency_key=operation.provider_idempotency_key,",
        "provider_idempotency_key="
        'f"{operation.provider_idempotency_key[:-2]}{operation.recovery_attempt_count:02}",',
        (f"{_AT}/test_unknown_outcomes.py::test_an_unknown_outcome_is_settled_by_recovery",),
    ),
    SeededBug(
        "a provider key made of the lease version",
        f"{_CHECKOUT}/handlers/provider_steps.py",
        "provider_idempotency_key=operation.provider_idempotency_key,",
        'provider_idempotency_key=f"{operation.operation_key[:-2]}{operation.lease_version:02}",',
        (f"{_AT}/test_unknown_outcomes.py::test_an_unknown_outcome_is_settled_by_recovery",),
    ),
    SeededBug(
        "a timeout is a refusal",
        f"{_COMMON}/domain/provider_outcome.py",
        "    return Finding.UNKNOWN\n",
        "    return Finding.REFUSED\n",
        (
            "tests/unit/domain/test_provider_outcome.py",
            f"{_AT}/test_unknown_outcomes.py::test_an_unknown_outcome_is_settled_by_recovery",
        ),
    ),
    SeededBug(
        "a 409 is a refusal",
        f"{_COMMON}/domain/provider_outcome.py",
        "_Row(409, None, None, _UNKNOWN,",
        "_Row(409, None, None, _NO,",
        ("tests/unit/domain/test_provider_outcome.py",),
    ),
    SeededBug(
        "GET finds nothing, so FAILED",
        f"{_CHECKOUT}/handlers/provider_call.py",
        'return NothingThere("nothing_listed")',
        "return Rejected(ProviderFailure(404, None, None))  # type: ignore[return-value]",
        (
            f"{_AT}/test_unknown_outcomes.py::"
            "test_a_stored_error_without_a_session_is_settled_by_the_next_key",
        ),
    ),
    SeededBug(
        "create is repeated after Stripe forgot the key",
        f"{_CHECKOUT}/decisions/recovery.py",
        "if now >= frozen.replay_deadline_at:",
        "if False and now >= frozen.replay_deadline_at:",
        (
            f"{_UNIT}/test_recovery.py",
            f"{_AT}/test_recovery_ends.py::test_past_the_deadline_create_is_never_repeated",
        ),
    ),
    SeededBug(
        "a network call inside a transaction goes out",
        f"{_COMMON}/observability/transaction_guard.py",
        "    if name is not None:\n        raise Network",
        "    if name is None:\n        return\n    if not name:\n        raise Network",
        (f"{_AT}/test_rules.py::test_a_provider_call_inside_a_transaction_raises_and_is_not_sent",),
    ),
    SeededBug(
        "a session row is bound again",
        f"{_CHECKOUT}/decisions/session_binding.py",
        "if mine is not None and mine.provider_checkout_session_id not in (None, found.id):",
        "if mine is not None and mine.provider_checkout_session_id in (found.id, 0):",
        (f"{_UNIT}/test_finalisation.py::test_a_session_is_bound_once",),
    ),
    SeededBug(
        "an old lease may finish (no fence in the decision)",
        f"{_CHECKOUT}/decisions/finalisation.py",
        "return Standing.OURS if operation.lease_version == lease_version else Standing.FENCED",
        "return Standing.OURS",
        (f"{_UNIT}/test_finalisation.py::test_another_lease_fences",),
    ),
    SeededBug(
        "a finished operation is finished again (no status guard)",
        f"{_CHECKOUT}/decisions/finalisation.py",
        "    if operation.status is not OperationStatus.PENDING:\n",
        "    if operation.status is OperationStatus.EXPIRED:\n",
        (f"{_UNIT}/test_finalisation.py::test_a_finished_row_is_never_flipped",),
    ),
    SeededBug(
        "finish compares no lease version",
        f"{_CHECKOUT}/repository/operations.py",
        "            operations.c.lease_version == lease_version,\n        )\n        .values(\n"
        "            status=ending",
        "            operations.c.lease_version >= 0,\n        )\n        .values(\n"
        "            status=ending",
        ("tests/races/test_fencing.py::test_a_zombie_changes_nothing",),
    ),
    SeededBug(
        "a takeover leaves the lease version as it was",
        f"{_CHECKOUT}/repository/operations.py",
        "            lease_version=from_version + 1,",
        "            lease_version=from_version,",
        (f"{_AT}/test_fencing.py::test_a_late_first_worker_is_fenced_while_recovery_is_pending",),
    ),
    SeededBug(
        "a live lease is taken over",
        f"{_CHECKOUT}/handlers/recovery.py",
        "        if operation.is_leased(now):",
        "        if operation.is_leased(now) and not operation.frozen:",
        (f"{_AT}/test_unknown_outcomes.py::test_a_live_lease_is_not_taken_over",),
    ),
    SeededBug(
        "past the deadline FAILED without a hold",
        f"{_CHECKOUT}/decisions/recovery.py",
        "            hold_until if now < hold_until else None,",
        "            None,",
        (f"{_UNIT}/test_recovery.py",),
    ),
    SeededBug(
        "a hold ends before its session does",
        f"{_CHECKOUT}/decisions/recovery.py",
        "return max(frozen.session_expires_at_upper_bound, frozen.replay_deadline_at) + "
        "EXPIRY_GRACE",
        "return frozen.replay_deadline_at",
        (f"{_UNIT}/test_recovery.py", f"{_AT}/test_recovery_ends.py"),
    ),
    SeededBug(
        "a hold is shortened",
        f"{_CHECKOUT}/decisions/recovery.py",
        "            and mine.expires_at < until",
        "            and mine.expires_at != until",
        (f"{_UNIT}/test_recovery.py", f"{_AT}/test_recovery_ends.py::test_a_hold_never_shortens"),
    ),
    SeededBug(
        "a lapsed session is freed without asking Stripe",
        f"{_CHECKOUT}/decisions/blockade.py",
        "    if row.has_lapsed(now) and not (row.status is _OPEN and is_bound):",
        "    if row.has_lapsed(now):",
        (f"{_UNIT}/test_blockade.py", "tests/model/test_write_path.py"),
    ),
    SeededBug(
        "finding nothing ends a hold",
        f"{_CHECKOUT}/decisions/blockade.py",
        "return _moved(row, SessionEvent.ABANDONED) if row.status is _OPEN else row",
        "return _moved(row, SessionEvent.ABANDONED)",
        (f"{_UNIT}/test_blockade.py",),
    ),
    SeededBug(
        "an open session blocks nobody",
        f"{_CHECKOUT}/decisions/blockade.py",
        "blocker = next((row for row in after if row.status in BLOCKING), None)",
        "blocker = next((row for row in after if row.status is _HOLD), None)",
        (f"{_UNIT}/test_blockade.py", "tests/model/test_write_path.py"),
    ),
    SeededBug(
        "a block burns the client's key",
        f"{_CHECKOUT}/repository/operations.py",
        'await connection.execute(text("ROLLBACK TO SAVEPOINT claim_point"))',
        'await connection.execute(text("RELEASE SAVEPOINT claim_point"))',
        (f"{_AT}/test_blocks.py::test_a_block_does_not_burn_the_key",),
    ),
    SeededBug(
        "Tx B does not look for another subscription",
        f"{_CHECKOUT}/decisions/session_binding.py",
        "        if row.status in CURRENT_CAPABLE and not is_ours:",
        "        if row.status not in CURRENT_CAPABLE and not is_ours:",
        (f"{_UNIT}/test_finalisation.py::test_a_foreign_subscription_wins_unless_it_has_ended",),
    ),
    SeededBug(
        "a session that lost is left open",
        f"{_CHECKOUT}/decisions/session_binding.py",
        "    loose = () if is_payable else expiries(found)",
        "    loose = ()",
        (
            f"{_AT}/test_fencing.py::test_another_subscription_wins_and_the_session_is_given_up",
            "tests/model/test_write_path.py",
        ),
    ),
    SeededBug(
        "a late worker's loose session is left open",
        f"{_CHECKOUT}/handlers/finalise.py",
        "                loose += action.steps.clean_ups(found.value)",
        "                loose += ()",
        (f"{_AT}/test_fencing.py::test_a_session_of_an_ended_operation_is_expired",),
    ),
    SeededBug(
        "a repeated answer is trusted",
        f"{_CHECKOUT}/handlers/provider_call.py",
        "if answer.is_replayed and steps.retrieve is not None:",
        "if answer.is_replayed and steps.retrieve is None:",
        (f"{_AT}/test_unknown_outcomes.py::test_a_repeated_answer_is_not_trusted",),
    ),
    SeededBug(
        "refused at the door during recovery, so FAILED",
        f"{_CHECKOUT}/handlers/provider_call.py",
        "finding is Finding.REFUSED_AT_THE_DOOR and is_first_call",
        "finding is Finding.REFUSED_AT_THE_DOOR",
        (
            f"{_AT}/test_unknown_outcomes.py::"
            "test_a_refusal_at_the_door_says_nothing_about_the_first_call",
        ),
    ),
    SeededBug(
        "a call is begun that may outlive the lease",
        f"{_CHECKOUT}/handlers/context.py",
        "return self.monotonic() + longest <= lease.ends_at_seconds",
        "return self.monotonic() <= lease.ends_at_seconds + longest",
        (f"{_AT}/test_unknown_outcomes.py::test_no_call_is_begun_that_could_outlive_the_lease",),
    ),
    SeededBug(
        "the series of keys has no end",
        f"{_CHECKOUT}/handlers/key_series.py",
        "    if request.provider_attempt >= PROVIDER_ATTEMPTS_MAX:\n        return None\n",
        "",
        (f"{_AT}/test_unknown_outcomes.py::test_the_series_of_keys_is_bounded",),
    ),
    SeededBug(
        "a late worker moves the series of keys",
        f"{_CHECKOUT}/repository/operations.py",
        "            operations.c.lease_version == lease_version,\n"
        "            operations.c.provider_attempt == from_attempt,",
        "            operations.c.provider_attempt == from_attempt,",
        ("tests/races/test_fencing.py::test_a_zombie_changes_nothing",),
    ),
    SeededBug(
        "another request learns a stored answer",
        f"{_CHECKOUT}/decisions/claim.py",
        "if operation.request_fingerprint_hash != fingerprint_hash:",
        "if operation.request_fingerprint_hash == fingerprint_hash[:0]:",
        (
            f"{_UNIT}/test_admission.py::test_another_fingerprint_learns_nothing",
            f"{_AT}/test_happy_path.py::test_the_same_key_with_another_request_is_a_conflict",
        ),
    ),
    SeededBug(
        "a command past its deadline is executed",
        f"{_CHECKOUT}/handlers/commands.py",
        "    if command.deadline_at <= context.utc_now():",
        "    if command.deadline_at is None:",
        (f"{_AT}/test_blocks.py::test_a_late_command_is_answered_not_executed",),
    ),
    SeededBug(
        "every worker has its own customer key",
        f"{_CHECKOUT}/handlers/customer.py",
        'name = f"entity:{billable_entity_id}"',
        'name = f"entity:{billable_entity_id}:{context.lease_owner}"',
        (f"{_AT}/test_exclusivity.py::test_a_customer_is_created_once_per_entity",),
    ),
    SeededBug(
        "the parts of a key run into each other",
        f"{_COMMON}/domain/operation_keys.py",
        'len(part.encode()).to_bytes(4, "big") + part.encode()',
        "part.encode()",
        ("tests/unit/domain/test_operation_keys.py::test_parts_do_not_run_into_each_other",),
    ),
    SeededBug(
        "a COMMIT error is a rollback",
        f"{_COMMON}/storage/transaction.py",
        'raise CommitOutcomeUnknown(f"{name}: the answer to COMMIT was lost") from error',
        'raise DatabaseUnavailable(f"{name}: the answer to COMMIT was lost") from error',
        ("tests/integration/storage/test_commit_unknown.py",),
    ),
    SeededBug(
        "an unknown COMMIT of Tx B is answered as a failure",
        f"{_CHECKOUT}/handlers/finalise.py",
        "    except CommitOutcomeUnknown:\n"
        "        return await answer_what_is_stored(context, work.target, work.asked)",
        "    except CommitOutcomeUnknown:\n        return in_progress(work.asked)",
        (f"{_AT}/test_fencing.py::test_a_lost_commit_of_tx_b_answers_what_is_stored",),
    ),
    SeededBug(
        "a deadlock is not retried",
        f"{_COMMON}/storage/database_errors.py",
        "RETRYABLE: Final = frozenset({1213, 1205, 1020, 3572})",
        "RETRYABLE: Final = frozenset({1205, 1020, 3572})",
        ("tests/integration/storage/test_transaction.py",),
    ),
    SeededBug(
        "Tx B locks the sessions before the operation",
        f"{_CHECKOUT}/handlers/finalise.py",
        "    operation = await lock_target(connection, work.target)\n    # A flow",
        "    await lock_checkout_sessions(connection, entity)\n"
        "    operation = await lock_target(connection, work.target)\n    # A flow",
        (f"{_AT}/test_happy_path.py::test_a_checkout_ends_bound_and_payable",),
    ),
    SeededBug(
        "the operation is marked before its session is stored",
        f"{_CHECKOUT}/handlers/finalise.py",
        "            if close.session is not None and close.session not in sessions:\n",
        "            await _mark(connection, work, close)\n"
        "            if close.session is not None and close.session not in sessions:\n",
        (f"{_AT}/test_happy_path.py", f"{_AT}/test_rules.py::test_the_operation_is_marked_last"),
    ),
    SeededBug(
        "an event finishes an operation that somebody else has finished",
        f"{_PROJECTION}/repository/sessions.py",
        "            t.c.lease_version == before.lease_version,\n",
        "",
        ("tests/races/test_fencing.py::test_a_zombie_changes_nothing",),
    ),
    SeededBug(
        "a paid session goes back to open",
        f"{_COMMON}/domain/checkout_session.py",
        "        (_PAID, SessionEvent.RECONCILED): SessionStatus.COMPLETED_RECONCILED,\n",
        "        (_PAID, SessionEvent.RECONCILED): SessionStatus.COMPLETED_RECONCILED,\n"
        "        (_PAID, SessionEvent.PROVIDER_OPEN): _OPEN,\n",
        (f"{_AT}/test_fencing.py::test_a_session_that_an_event_moved_does_not_regress",),
    ),
    SeededBug(
        "sessions carry no operation key",
        f"{_CHECKOUT}/decisions/situation.py",
        "            OPERATION_KEY: self.operation_key,\n",
        "",
        (f"{_UNIT}/test_frozen_request.py",),
    ),
)
