"""Idempotency keys as Stripe's v1 API treats them.

POST only. The fingerprint is method, path and parameters. The first result is kept once execution
began and replayed for 24 h of the double's clock: 2xx, 402, 500, and any 4xx with which the state
of an object answered (an inactive price, a session that is not open). What is refused before
execution is not kept, and the same key may be used again: validation (unknown, missing or
malformed parameters, ids that name nothing), 401, 409, 429. The v2 API keeps successes only, for 30
days, and has keys for DELETE too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from stripe_double.engine.errors import ApiError, invalid_request
from stripe_double.engine.records import JsonObject
from stripe_double.engine.store import Store
from stripe_double.engine.transactions import Transaction

MAX_KEY_LENGTH = 255
KEPT_FOR_SECONDS = 24 * 3600
KEPT_FOR_SECONDS_IN_V2 = 30 * 24 * 3600
COLLECTION = "idempotency_key"
_VALIDATION_CODES = frozenset(
    {
        "parameter_invalid_empty",
        "parameter_invalid_integer",
        "parameter_missing",
        "parameter_unknown",
        "resource_missing",
    }
)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The first result of a key: HTTP status, body text, id of the request that made it."""

    status: int
    body: str
    request_id: str


def fingerprint(method: str, path: str, params: JsonObject) -> str:
    """The same for two requests exactly when Stripe takes them for one."""
    canonical = json.dumps([method, path, params], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def is_kept(status: int) -> bool:
    """Whether a result with this HTTP status is stored under its key."""
    return 200 <= status < 300 or status in {402, 500}


def is_from_execution(error: ApiError, *, began: bool) -> bool:
    """Whether a refusal is the result of an execution, and so stored under its key.

    `began`: the handler had looked at stored state. An error says so itself (`from_state`), or is
    known by what it lacks: one that names a parameter, or an id that names nothing, is validation.
    """
    if error.status == 402 or error.from_state:
        return True
    told_apart = error.from_state is None and error.status == 400
    return told_apart and began and error.param is None and error.code not in _VALIDATION_CODES


class IdempotencyLayer:
    """Which keys are running now, and what the finished ones answered."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: dict[str, str] = {}

    def enter(
        self, key: str, mark: str, now: int, *, kept_for_seconds: int = KEPT_FOR_SECONDS
    ) -> KeptAnswer | None:
        """The kept answer, or None and the key is running until `leave`.

        Raises ApiError: key too long or parameters differ (400), still running (409).
        """
        if len(key) > MAX_KEY_LENGTH:
            raise invalid_request(
                f"Idempotency key must be at most {MAX_KEY_LENGTH} characters long.",
            )
        kept = self._store.find(COLLECTION, key)
        if kept is not None and now - kept["created"] < kept_for_seconds:
            if kept["fingerprint"] != mark:
                raise _parameters_differ(key)
            return KeptAnswer(kept["status"], kept["body"], kept["request_id"])
        if key in self._running:
            raise _key_in_use(key) if self._running[key] == mark else _parameters_differ(key)
        self._running[key] = mark
        return None

    def is_running(self, key: str) -> bool:
        """Whether a request with this key is being executed now."""
        return key in self._running

    def leave(self, key: str) -> None:
        """The request is over, whatever came of it."""
        self._running.pop(key, None)

    @staticmethod
    def keep(tx: Transaction, key: str, mark: str, answer: KeptAnswer) -> None:
        """Store the first result, in the transaction that made it."""
        tx.keep(
            COLLECTION,
            {
                "id": key,
                "fingerprint": mark,
                "status": answer.status,
                "body": answer.body,
                "request_id": answer.request_id,
                "created": tx.world_now,
            },
        )


def _parameters_differ(key: str) -> ApiError:
    return ApiError(
        400,
        "idempotency_error",
        "Keys for idempotent requests can only be used with the same parameters they were first "
        f"used with. Try using a key other than '{key}' if you meant to execute a different "
        "request.",
    )


def _key_in_use(key: str) -> ApiError:
    return ApiError(
        409,
        "idempotency_error",
        "There is currently another in-progress request using this Idempotent Key (that probably "
        f"means you submitted twice, and the other request is still going through): {key}. "
        "Please try again later.",
        code="idempotency_key_in_use",
    )
