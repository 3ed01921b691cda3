"""One API request from header to answer.

The order is Stripe's: authentication, version, rate limit, idempotency key, parameters, execution.
Faults enter where the real thing would fail. State changes, ledger and kept answer are one
transaction, durable before the answer leaves.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stripe_double import API_VERSION
from stripe_double.engine.errors import ApiError, invalid_request, not_modelled
from stripe_double.engine.faults import Fault, FaultKind
from stripe_double.engine.idempotency import (
    IdempotencyLayer,
    KeptAnswer,
    fingerprint,
    is_kept,
)
from stripe_double.engine.records import JsonObject
from stripe_double.engine.transactions import Origin, Transaction
from stripe_double.engine.world import World
from stripe_double.http.requests import Answer, ApiRequest, Ending
from stripe_double.resources.catalog import INCLUDABLES, Route, find_route
from stripe_double.resources.operations import Call
from stripe_double.wire.expansion import expand
from stripe_double.wire.forms import decode
from stripe_double.wire.parameters import check

_CONNECT_HEADERS = ("stripe-account", "stripe-context")
_ENDINGS = {FaultKind.DROP_AFTER: Ending.DROPPED, FaultKind.TRUNCATE: Ending.TRUNCATED}


@dataclass(slots=True)
class _Visit:
    """What is known of a request so far; the ledger gets it whatever happens."""

    request: ApiRequest
    request_id: str
    key: str | None = None
    route: Route | None = None
    params: Mapping[str, Any] | None = None
    mark: str = ""
    fault: Fault | None = None

    @property
    def origin(self) -> Origin:
        return Origin(self.request_id, self.key)

    @property
    def fault_kind(self) -> FaultKind | None:
        return None if self.fault is None else self.fault.kind


class Pipeline:
    """Answers API requests against one world."""

    def __init__(self, world: World, api_keys: tuple[str, ...]) -> None:
        self._world = world
        self._api_keys = frozenset(api_keys)

    async def answer(self, request: ApiRequest) -> Answer:
        """The answer to a request; never raises for what the caller did."""
        visit = _Visit(request, self._world.ids.next("request"))
        try:
            self._admit(visit)
            answer = await self._through_idempotency(visit)
        except ApiError as error:
            answer = self._refuse(visit, error)
        return answer

    def _admit(self, visit: _Visit) -> None:
        request = visit.request
        self._authenticate(request)
        version = request.headers.get("stripe-version", API_VERSION)
        if version != API_VERSION:
            raise invalid_request(
                f"Invalid Stripe API version: {version}. stripe-double renders {API_VERSION} only."
            )
        for header in _CONNECT_HEADERS:
            if header in request.headers:
                raise not_modelled(f"the header {header} (connected accounts)")
        visit.route = find_route(request.method, request.path)
        raw = decode(request.parameter_text)
        visit.params = raw
        visit.fault = self._world.faults.take(visit.route.names, raw)
        if visit.fault_kind is FaultKind.RATE_LIMIT:
            raise ApiError(
                429,
                "invalid_request_error",
                "Request rate limit exceeded.",
                code="rate_limit",
            )
        if request.method == "POST":
            visit.key = request.headers.get("idempotency-key") or None
            visit.mark = fingerprint(request.method, request.path, raw)

    def _authenticate(self, request: ApiRequest) -> None:
        key = request.secret_key
        if not key:
            raise ApiError(
                401,
                "invalid_request_error",
                "You did not provide an API key. Provide it in the Authorization header, using "
                "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            )
        if key.startswith(("sk_live_", "rk_live_")):
            raise ApiError(
                401,
                "invalid_request_error",
                "stripe-double never accepts a live key. It was not recorded.",
            )
        if key not in self._api_keys:
            raise ApiError(401, "invalid_request_error", f"Invalid API Key provided: {key[:8]}***")

    async def _through_idempotency(self, visit: _Visit) -> Answer:
        if visit.key is None:
            return await self._execute(visit)
        kept = self._world.idempotency.enter(visit.key, visit.mark, self._world.clock.now)
        if kept is not None:
            return self._replay(visit, kept)
        try:
            return await self._execute(visit)
        finally:
            self._world.idempotency.leave(visit.key)

    async def _execute(self, visit: _Visit) -> Answer:
        route, raw = visit.route, dict(visit.params or {})
        if route is None:
            message = "a request is executed after it was routed"
            raise RuntimeError(message)
        params = check(route.operation.route, raw, route.operation.model)
        await self._fail_before(visit)
        if visit.fault_kind is FaultKind.DROP_BEFORE:
            self._note(visit, status=None, outcome="dropped_before_execution")
            return Answer(0, "", ending=Ending.DROPPED)
        self._world.run_due()
        answer = self._run(visit, route, params)
        if visit.fault is not None and visit.fault_kind is FaultKind.DELAY_AFTER:
            await asyncio.sleep(visit.fault.delay_ms / 1000)
        return answer

    async def _fail_before(self, visit: _Visit) -> None:
        kind = visit.fault_kind
        if visit.fault is not None and kind is FaultKind.DELAY:
            await asyncio.sleep(visit.fault.delay_ms / 1000)
        if kind is FaultKind.CONFLICT:
            raise ApiError(
                409,
                "invalid_request_error",
                "This object cannot be accessed right now because another API request or Stripe "
                "process is currently accessing it.",
                code="lock_timeout",
            )
        if kind is FaultKind.ERROR_BEFORE:
            raise _internal_error()

    def _run(self, visit: _Visit, route: Route, params: JsonObject) -> Answer:
        kind = visit.fault_kind
        ending = _ENDINGS.get(kind, Ending.WHOLE) if kind else Ending.WHOLE
        with self._world.transaction(visit.origin) as tx:
            if kind is FaultKind.ERROR_SAVED:
                status, body = 500, _internal_error().body(visit.request_id)
            else:
                status, body = self._handle(tx, visit, route, params)
            if kind is FaultKind.ERROR_AFTER:
                status, body = 500, _internal_error().body(visit.request_id)
            text = json.dumps(body, separators=(",", ":"))
            if visit.key is not None and is_kept(status):
                kept = KeptAnswer(status, text, visit.request_id)
                IdempotencyLayer.keep(tx, visit.key, visit.mark, kept)
            executed = kind is not FaultKind.ERROR_SAVED
            self._enter(tx, visit, status, "executed" if executed else "failed_and_kept")
        return Answer(status, text, self._headers(visit), ending)

    @staticmethod
    def _handle(
        tx: Transaction, visit: _Visit, route: Route, params: JsonObject
    ) -> tuple[int, JsonObject]:
        result = route.operation.handler(tx, Call(route.object_id, params))
        if isinstance(result, ApiError):
            return result.status, result.body(visit.request_id)
        return 200, expand(tx, result, params.get("expand", []), INCLUDABLES)

    def _replay(self, visit: _Visit, kept: KeptAnswer) -> Answer:
        self._note(visit, status=kept.status, outcome="replayed")
        headers = self._headers(visit)
        headers["Idempotent-Replayed"] = "true"
        headers["Original-Request"] = kept.request_id
        kind = visit.fault_kind
        ending = _ENDINGS.get(kind, Ending.WHOLE) if kind else Ending.WHOLE
        return Answer(kept.status, kept.body, headers, ending)

    def _refuse(self, visit: _Visit, error: ApiError) -> Answer:
        """An error that undid what the request began, if anything."""
        text = json.dumps(error.body(visit.request_id), separators=(",", ":"))
        with self._world.transaction(visit.origin) as tx:
            self._enter(tx, visit, error.status, "refused")
        headers = {**self._headers(visit), **error.headers}
        return Answer(error.status, text, headers)

    def _note(self, visit: _Visit, *, status: int | None, outcome: str) -> None:
        with self._world.transaction(visit.origin) as tx:
            self._enter(tx, visit, status, outcome)

    @staticmethod
    def _enter(tx: Transaction, visit: _Visit, status: int | None, outcome: str) -> None:
        route = visit.route
        tx.ledger.append(
            "request",
            tx.now,
            request_id=visit.request_id,
            method=visit.request.method,
            path=visit.request.path,
            operation=None if route is None else route.operation.name,
            idempotency_key=visit.key,
            params=visit.params,
            status=status,
            outcome=outcome,
            executed=outcome == "executed",
            fault=visit.fault_kind,
        )

    @staticmethod
    def _headers(visit: _Visit) -> dict[str, str]:
        headers = {"Request-Id": visit.request_id, "Stripe-Version": API_VERSION}
        if visit.key is not None:
            headers["Idempotency-Key"] = visit.key
            headers["Original-Request"] = visit.request_id
        return headers


def _internal_error() -> ApiError:
    return ApiError(500, "api_error", "An unknown error occurred while processing the request.")
