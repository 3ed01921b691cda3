"""What all billing writes share over HTTP: their headers, their submission, their answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response

from api_gateway.decisions.entity_access import Access
from api_gateway.decisions.idempotency_keys import decide_client_key
from api_gateway.decisions.submissions import decide_wait_seconds
from api_gateway.handlers.accounts import AccountResolver
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.handlers.write_submission import (
    Answered,
    StillPending,
    Submission,
    WriteIdentity,
    WriteSubmitter,
)
from api_gateway.routes.account_selection import SELECTOR_PARAMETERS, account_of, subject_of
from api_gateway.routes.outcomes import (
    EXAMPLE_OPERATION_KEY,
    REPLAYED_HEADER,
    RETRY_AFTER_HEADER,
    Responses,
    refusals,
    success,
)
from api_gateway.routes.problems import request_id_of
from api_gateway.routes.wire import PUBLIC_PATH, Shape
from billing_common.contracts.commands import Payload
from billing_common.contracts.problem import CONTENT_TYPE
from billing_common.domain.canonical_json import canonical_json
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import Action

RETRY_PENDING_SECONDS: Final = 1
_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
EXAMPLE_LOCATION: Final = f"{PUBLIC_PATH}/operations/{EXAMPLE_OPERATION_KEY}?receipt=Y2hl.c2ln"


class PendingAnswer(Shape):
    """Accepted; what became of it is at `location` (as in the Location header)."""

    operation_key: str
    status: Literal["pending"]
    location: str


WRITE_PARAMETERS: Final[list[dict[str, Any]]] = [
    *SELECTOR_PARAMETERS,
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "One new value per click; the same value repeats the same request.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 191,
            "pattern": "^[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$",
        },
        "example": "idem_5b0f3c1e-8c0f-4a55-9f6e-4f2b2a7d7c11",
    },
    {
        "name": "Prefer",
        "in": "header",
        "required": False,
        "description": "`wait=N` shortens the wait for the outcome to N seconds.",
        "schema": {"type": "string"},
        "example": "wait=5",
    },
]


def write_responses(done: dict[str, Any], *codes: FailureCode) -> Responses:
    """The outcomes of a write: done (200), not known yet (202), and every refusal."""
    pending = success(
        PendingAnswer,
        "Accepted and not answered in time. Nothing is lost: ask at Location.",
        {
            "pending": {
                "operationKey": EXAMPLE_OPERATION_KEY,
                "status": "pending",
                "location": EXAMPLE_LOCATION,
            }
        },
        headers={
            "Location": {"schema": {"type": "string"}, "example": EXAMPLE_LOCATION},
            **RETRY_AFTER_HEADER,
        },
    )
    return {200: done, 202: pending, **refusals(*codes, headers=REPLAYED_HEADER)}


@dataclass(frozen=True, slots=True)
class Writes:
    """Submits what a route has understood. One per process."""

    submitter: WriteSubmitter
    resolver: AccountResolver
    reply_wait_seconds: float

    async def submit(
        self,
        request: Request,
        *,
        action: Action,
        normalize: Callable[[int], dict[str, Any]],
        make_payload: Callable[[WriteIdentity], Payload],
    ) -> Response:
        """The answer to a valid body. `normalize` is given the account. Raises RequestRefused."""
        client_key = client_key_of(request)
        entity = await account_of(request, self.resolver, Access.WRITE)
        outcome = await self.submitter.submit(
            Submission(
                action=action,
                normalized=normalize(entity.id),
                make_payload=make_payload,
                billable_entity_id=entity.id,
                subject=subject_of(request),
                client_key=client_key,
                wait_seconds=decide_wait_seconds(
                    ",".join(request.headers.getlist("prefer")),
                    seconds_max=self.reply_wait_seconds,
                ),
                request_id=request_id_of(request),
                traceparent=_traceparent(request),
            )
        )
        return _answered(outcome) if isinstance(outcome, Answered) else _pending(outcome)


def client_key_of(request: Request) -> str:
    """The request's Idempotency-Key. Raises RequestRefused."""
    client_key = decide_client_key(request.headers.getlist("idempotency-key"))
    if isinstance(client_key, FailureCode):
        raise RequestRefused(client_key)
    return client_key


def _answered(outcome: Answered) -> Response:
    headers = {"Idempotent-Replayed": "true"} if outcome.is_replay else {}
    if outcome.retry_after_seconds is not None:
        headers["Retry-After"] = str(outcome.retry_after_seconds)
    return Response(
        outcome.body,
        status_code=outcome.http_status,
        headers=headers,
        media_type="application/json" if outcome.http_status < 400 else CONTENT_TYPE,
    )


def _pending(outcome: StillPending) -> Response:
    location = f"{PUBLIC_PATH}/operations/{outcome.operation_key}?receipt={quote(outcome.receipt)}"
    return Response(
        canonical_json(
            {"operationKey": outcome.operation_key, "status": "pending", "location": location}
        ),
        status_code=202,
        headers={"Location": location, "Retry-After": str(RETRY_PENDING_SECONDS)},
        media_type="application/json",
    )


def _traceparent(request: Request) -> str | None:
    sent = request.headers.get("traceparent")
    return sent if sent is not None and _TRACEPARENT.fullmatch(sent) else None
