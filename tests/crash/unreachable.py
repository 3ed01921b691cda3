"""Points that no road passes, each with its reason. One that is passed after all must leave."""

from __future__ import annotations

from typing import Final

_TRANSACTION: Final = "billing_common.storage.transaction"

UNREACHABLE: Final = {
    f"{_TRANSACTION}:Database.is_reachable:1": "readiness: not on the write path",
    f"{_TRANSACTION}:Database.is_reachable:2": "readiness: not on the write path",
    f"{_TRANSACTION}:Database.close:1": "shutting down: not on the write path",
    f"{_TRANSACTION}:_commit:3": "cancellation under COMMIT: tests/integration/storage kills there",
    **dict.fromkeys(
        (
            "checkout.handlers.commands:handle_command:1",
            "checkout.handlers.commands:handle_command:2",
        ),
        "beginning and finishing in one go, for tests; the consumer does them apart",
    ),
}
# Passed, but nobody can die there alone: COMMIT is already on its way in a task of its own. Dying
# before it was sent is `_once` before `_commit`, dying after it is `_commit` after.
INDIVISIBLE: Final = frozenset({f"{_TRANSACTION}:_commit:1:before"})
