"""One API request from header to answer.

The order is Stripe's: authentication, version, rate limit, idempotency key, parameters, execution.
Faults enter where the real thing would fail. State changes, ledger and kept answer are one
transaction, durable before the answer leaves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stripe_double.engine.errors import ApiError
from stripe_double.engine.idempotency import (
    KEPT_FOR_SECONDS,
    KEPT_FOR_SECONDS_IN_V2,
    IdempotencyLayer,
    KeptAnswer,
    fingerprint,
    is_from_execution,
    is_kept,
)
from stripe_double.engine.records import JsonObject
from stripe_double.engine.transactions import Origin, Transaction
from stripe_double.engine.world import World
from stripe_double.http.admission import (
    authenticate,
    raw_parameters,
    refuse_connect,
    version_of,
)
from stripe_double.http.hostility import NO_ANSWER, Hostility, rate_limited
from stripe_double.http.requests import Answer, ApiRequest, Gone
from stripe_double.resources.catalog import INCLUDABLES, Route, find_route
from stripe_double.resources.operations import Call
from stripe_double.wire.expansion import expand
from stripe_double.wire.parameters import check
from stripe_double.wire.v2_lists import PAGE
from stripe_double.wire.versions.objects import render
from stripe_double.wire.versions.parameters import upgrade


class _Undone(Exception):  # noqa: N818 - exceptions are facts here
    """A handler refused, which undoes its transaction. `is_kept`: the refusal is its result."""

    def __init__(self, cause: ApiError, *, is_kept: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.is_kept = is_kept


@dataclass(slots=True)
class _Visit:
    """What is known of a request so far; the ledger gets it whatever happens."""

    request: ApiRequest
    request_id: str
    hostility: Hostility
    version: str
    key: str | None = None
    route: Route | None = None
    params: Mapping[str, Any] | None = None
    mark: str = ""

    @property
    def kept_for_seconds(self) -> int:
        return KEPT_FOR_SECONDS_IN_V2 if self.request.is_v2 else KEPT_FOR_SECONDS

    @property
    def origin(self) -> Origin:
        return Origin(self.request_id, self.key)


class Pipeline:
    """Answers API requests against one world."""

    def __init__(self, world: World, api_keys: tuple[str, ...]) -> None:
        self._world = world
        self._api_keys = frozenset(api_keys)

    async def answer(self, request: ApiRequest, gone: Gone) -> Answer:
        """The answer to a request; never raises for what the caller did.

        `gone` returns when the caller gave up: some faults wait for that.
        """
        visit = _Visit(
            request,
            self._world.ids.next("request"),
            Hostility(self._world, None, gone),
            self._world.options.account_api_version,
        )
        try:
            self._admit(visit, gone)
            await visit.hostility.at_the_gate()
            answer = await self._through_idempotency(visit)
        except ApiError as error:
            answer = self._refuse(visit, error)
        return answer

    def _admit(self, visit: _Visit, gone: Gone) -> None:
        request, world = visit.request, self._world
        authenticate(request, self._api_keys)
        visit.version = version_of(request, visit.version)
        refuse_connect(request)
        visit.route = route = find_route(request.method, request.path)
        visit.params = raw = raw_parameters(request)
        if request.method == "POST" or (request.is_v2 and request.method == "DELETE"):
            visit.key = request.headers.get("idempotency-key") or None
            visit.mark = fingerprint(request.method, request.path, raw)
        reason = world.refuse_rate(request.method, route.operation.name)
        if reason is not None:
            raise rate_limited("Request rate limit exceeded.", "rate_limit", reason)
        fault = world.faults.take(lambda f: f.suits(route.names, raw))
        visit.hostility = Hostility(world, fault, gone)

    async def _through_idempotency(self, visit: _Visit) -> Answer:
        if visit.key is None:
            return await self._execute(visit)
        kept = self._world.idempotency.enter(
            visit.key, visit.mark, self._world.clock.now, kept_for_seconds=visit.kept_for_seconds
        )
        if kept is not None:
            return await self._replay(visit, kept)
        try:
            return await self._execute(visit)
        finally:
            self._world.idempotency.leave(visit.key)

    async def _execute(self, visit: _Visit) -> Answer:
        route, raw = visit.route, dict(visit.params or {})
        if route is None:
            message = "a request is executed after it was routed"
            raise RuntimeError(message)
        params = _checked(route, raw, visit.version)
        early = await visit.hostility.before()
        if early is not None:
            return self._end_early(visit, early)
        self._world.run_due()
        deliveries: list[str] = []
        try:
            with self._world.transaction(visit.origin) as tx:
                answer = self._run(tx, visit, route, params)
            deliveries = tx.new_deliveries
        except _Undone as undone:
            answer = self._refuse(visit, undone.cause, is_result=undone.is_kept)
        return await visit.hostility.after(answer, deliveries)

    def _run(self, tx: Transaction, visit: _Visit, route: Route, params: JsonObject) -> Answer:
        instead = visit.hostility.instead()
        if instead is not None:
            status, body = instead.status, instead.body(visit.request_id)
        else:
            status, body = self._handle(tx, visit, route, params)
        sticky = visit.hostility.kept_error()
        if sticky is not None:
            status, body = sticky.status, sticky.body(visit.request_id)
        text = json.dumps(body, separators=(",", ":"))
        if is_kept(status) and (status == 200 or not visit.request.is_v2):
            self._keep(tx, visit, status, text)
        self._enter(tx, visit, status, "executed" if instead is None else "failed_and_kept")
        return Answer(status, text, self._headers(visit))

    def _handle(
        self, tx: Transaction, visit: _Visit, route: Route, params: JsonObject
    ) -> tuple[int, JsonObject]:
        try:
            result = route.operation.handler(tx, Call(route.object_id, params))
        except ApiError as error:
            raise _Undone(error, is_kept=is_from_execution(error, began=tx.began)) from error
        if isinstance(result, ApiError):
            return result.status, result.body(visit.request_id)
        answer = expand(tx, result, params.get("expand", []), INCLUDABLES)
        is_event = route.operation.path.startswith("/v1/events")
        version = tx.options.version_of_events(visit.version) if is_event else visit.version
        return 200, render(answer, version, tx.store.find)

    async def _replay(self, visit: _Visit, kept: KeptAnswer) -> Answer:
        early = await visit.hostility.before(is_replay=True)
        if early is not None:
            return self._end_early(visit, early)
        self._note(visit, status=kept.status, outcome="replayed")
        headers = self._headers(visit)
        headers["Idempotent-Replayed"] = "true"
        headers["Original-Request"] = kept.request_id
        return await visit.hostility.after(Answer(kept.status, kept.body, headers))

    def _end_early(self, visit: _Visit, answer: Answer) -> Answer:
        """A fault ended the request before anything ran."""
        if answer is NO_ANSWER:
            self._note(visit, status=None, outcome="dropped_before_execution")
        else:
            self._note(visit, status=answer.status, outcome="refused")
        return answer

    def _refuse(self, visit: _Visit, error: ApiError, *, is_result: bool = False) -> Answer:
        """An error that undid what the request began, if anything."""
        text = json.dumps(error.body(visit.request_id), separators=(",", ":"))
        with self._world.transaction(visit.origin) as tx:
            if is_result and not visit.request.is_v2:
                self._keep(tx, visit, error.status, text)
            self._enter(tx, visit, error.status, "refused")
        headers = {**self._headers(visit), **error.headers}
        return Answer(error.status, text, headers)

    @staticmethod
    def _keep(tx: Transaction, visit: _Visit, status: int, text: str) -> None:
        if visit.key is not None:
            kept = KeptAnswer(status, text, visit.request_id)
            IdempotencyLayer.keep(tx, visit.key, visit.mark, kept)

    def _note(self, visit: _Visit, *, status: int | None, outcome: str) -> None:
        with self._world.transaction(visit.origin) as tx:
            self._enter(tx, visit, status, outcome)

    @staticmethod
    def _enter(tx: Transaction, visit: _Visit, status: int | None, outcome: str) -> None:
        route = visit.route
        tx.ledger.append(
            "request",
            tx.world_now,
            request_id=visit.request_id,
            method=visit.request.method,
            path=visit.request.path,
            operation=None if route is None else route.operation.name,
            idempotency_key=visit.key,
            params=visit.params,
            status=status,
            outcome=outcome,
            executed=outcome == "executed",
            fault=visit.hostility.kind,
        )

    @staticmethod
    def _headers(visit: _Visit) -> dict[str, str]:
        headers = {"Request-Id": visit.request_id, "Stripe-Version": visit.version}
        if visit.key is not None:
            headers["Idempotency-Key"] = visit.key
            headers["Original-Request"] = visit.request_id
        return headers


def _checked(route: Route, raw: JsonObject, version: str) -> JsonObject:
    """Typed parameters. The page token of a v2 list is in no table: it comes from our own links."""
    name = route.operation.route
    page = {PAGE: raw.pop(PAGE)} if name.startswith("GET /v2/") and PAGE in raw else {}
    return {**check(name, upgrade(name, raw, version), route.operation.model), **page}
