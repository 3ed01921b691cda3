"""The control plane over HTTP, under `/_double/`. Loopback callers only; off unless enabled."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stripe_double import API_VERSION
from stripe_double.control import ControlPlane
from stripe_double.engine.errors import ApiError, invalid_request
from stripe_double.engine.records import JsonObject
from stripe_double.engine.world import World
from stripe_double.http.dashboard import Dashboard
from stripe_double.payment_control import PAYMENT_ROUTES

_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_OWN_NAMES = _LOOPBACK | {"localhost", "stripe.double"}
"""Names of this machine in a Host header; the last is that of a double without a socket."""

Action = Callable[[Request, JsonObject], Any]
Endpoint = Callable[[Request], Awaitable[Response]]


class ControlRoutes:
    """Each route is one method of `ControlPlane`; the JSON body is its keyword arguments."""

    def __init__(self, world: World, control: ControlPlane) -> None:
        self._world = world
        self._control = control

    def asgi_app(self) -> Starlette:
        """The application to mount at `/_double`."""
        control = self._control
        posts: dict[str, Callable[..., Any]] = {
            "/sessions/{id}/pay": control.pay,
            "/sessions/{id}/complete": control.pay,
            "/sessions/{id}/decline": control.decline,
            "/sessions/{id}/abandon": control.abandon,
            "/subscriptions/{id}/renew": control.renew,
            "/subscriptions/{id}/cancel": control.end_subscription,
            "/invoices/{id}/pay": control.collect,
            "/payment_methods/{id}/bank": control.change_bank,
            **{path: getattr(control, name) for path, name in PAYMENT_ROUTES.items()},
            "/portal/default": control.save_portal_default,
            "/clock/advance": self._advance,
            "/faults": self._add_fault,
            "/webhooks/faults": control.set_webhook_faults,
            "/faults/mix": self._mix,
            "/rate_limits": control.set_rate_limits,
            "/events/lag": control.set_event_list_lag,
            "/webhooks/faults/scripted": self._add_webhook_fault,
            "/webhooks/faults/mix": self._mix_webhooks,
            "/webhooks/hold": self._hold,
            "/webhooks/release": control.release_webhooks,
            "/webhook_endpoints/{id}/rotate": self._rotate,
            "/events": self._inject,
            "/events/{id}/redeliver": self._redeliver,
            "/act": control.act,
            "/snapshots": control.take_snapshot,
            "/snapshots/{id}/restore": control.restore_snapshot,
            "/reset": control.reset,
            "/seed": control.seed_catalog,
        }
        deletes: dict[str, Callable[..., Any]] = {
            "/faults": control.clear_faults,
            "/webhooks/faults/scripted": control.clear_webhook_faults,
            "/snapshots/{id}": control.forget_snapshot,
        }
        routes = [
            Route("/health", self._read(self._health)),
            Route("/ledger", self._read(self._ledger)),
            Route("/deliveries", self._read(lambda _: {"deliveries": control.deliveries()})),
            Route("/events", self._read(lambda _: {"events": control.objects("event")})),
            Route("/faults", self._read(self._faults)),
            Route("/snapshots", self._read(lambda _: {"snapshots": control.snapshots()})),
            Route("/world", self._export),
            Route("/world", self._put_back, methods=["PUT"]),
            *(
                Route(path, self._write(action), methods=["DELETE"])
                for path, action in deletes.items()
            ),
            *(Route(path, self._write(action), methods=["POST"]) for path, action in posts.items()),
            *Dashboard(self._world, control).routes(),
        ]
        return Starlette(routes=routes, middleware=[Middleware(LoopbackOnly)])

    def _read(self, show: Callable[[Request], Any]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            self._world.run_due()
            return _answer(lambda: show(request))

        return endpoint

    def _write(self, action: Callable[..., Any]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            body = await request.body()

            def act() -> Any:
                values = _json_object(body)
                arguments = [request.path_params["id"]] if "id" in request.path_params else []
                _check_arguments(action, arguments, values)
                return action(*arguments, **values)

            return _answer(act)

        return endpoint

    async def _export(self, _request: Request) -> Response:
        return Response(self._control.export(), media_type="application/json")

    async def _put_back(self, request: Request) -> Response:
        content = await request.body()
        return _answer(lambda: self._control.put_back(content))

    def _health(self, _request: Request) -> JsonObject:
        return {
            "status": "ok",
            "api_version": API_VERSION,
            "seed": self._world.ids.seed,
            "clock": {"now": self._world.clock.now, "ticking": self._world.clock.ticking},
            "webhooks_idle": self._world.courier.idle,
            "ledger_entries": len(self._world.ledger),
        }

    def _ledger(self, request: Request) -> JsonObject:
        query = dict(request.query_params)
        after_seq, kind = query.pop("after_seq", "0"), query.pop("kind", None)
        if not after_seq.isdecimal():
            raise invalid_request("after_seq is a whole number.", param="after_seq")
        if "self" in query:
            raise invalid_request("No entry has a fact called self.", param="self")
        return {"entries": self._control.ledger(kind, after_seq=int(after_seq), **query)}

    def _faults(self, _request: Request) -> JsonObject:
        stored = self._world.stored_faults()
        return {
            "api": stored["api"]["faults"],
            "api_mix": stored["api"]["mix"],
            "webhooks": stored["switches"],
            "webhooks_scripted": stored["webhooks"]["faults"],
            "webhooks_mix": stored["webhooks"]["mix"],
        }

    def _mix(self, *, chances: dict[str, float], **details: Any) -> None:
        self._control.mix_faults(chances, **details)

    def _mix_webhooks(self, *, chances: dict[str, float], **details: Any) -> None:
        self._control.mix_webhook_faults(chances, **details)

    def _add_webhook_fault(self, *, kind: str, **details: Any) -> JsonObject:
        return asdict(self._control.add_webhook_fault(kind, **details))

    def _advance(self, *, seconds: float) -> JsonObject:
        return {"now": self._control.advance(seconds)}

    def _add_fault(self, *, kind: str, **details: Any) -> JsonObject:
        return asdict(self._control.add_fault(kind, **details))

    def _hold(self) -> JsonObject:
        return self._control.set_webhook_faults(hold=True)

    def _rotate(self, endpoint_id: str, **details: Any) -> JsonObject:
        return {"secrets": self._control.rotate_secret(endpoint_id, **details)}

    def _inject(self, *, type: str, object: JsonObject) -> JsonObject:
        return self._control.inject_event(type, object)

    def _redeliver(self, event_id: str) -> JsonObject:
        return {"deliveries": self._control.redeliver(event_id)}


class LoopbackOnly:
    """Answers 403 to a caller that is not on this machine, and to one that only looks like it.

    A tunnel, a reverse proxy and a web page in this machine's browser all call from loopback. The
    first two name the host that they serve, a page of another site names its origin.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass loopback callers on."""
        caller = (scope.get("client") or ("", 0))[0]
        if caller in _LOOPBACK and _names_this_machine(dict(scope["headers"])):
            await self._app(scope, receive, send)
            return
        error = ApiError(
            403, "invalid_request_error", "The control plane serves this machine only."
        )
        await JSONResponse(error.body(""), status_code=error.status)(scope, receive, send)


def _names_this_machine(headers: dict[bytes, bytes]) -> bool:
    host = headers.get(b"host", b"").decode("latin-1")
    origin = headers.get(b"origin", b"").decode("latin-1")
    try:
        known = urlsplit(f"//{host}").hostname in _OWN_NAMES
    except ValueError:
        return False
    return known and origin in {"", f"http://{host}"}


def _check_arguments(action: Callable[..., Any], arguments: list[Any], values: JsonObject) -> None:
    """ApiError 400 unless the action takes these arguments, by name and by type."""
    signature = inspect.signature(action)
    try:
        signature.bind(*arguments, **values)
    except TypeError as error:
        raise invalid_request(f"Wrong arguments: {error}.") from error
    hints = get_type_hints(action)
    for name in values.keys() & signature.parameters.keys() & hints.keys():
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            continue
        try:
            TypeAdapter(hints[name]).validate_python(values[name], strict=True)
        except ValidationError as error:
            raise invalid_request(f"Wrong type for {name}.", param=name) from error


def _json_object(body: bytes) -> JsonObject:
    try:
        values = json.loads(body) if body else {}
        json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise invalid_request("The body must be JSON.") from error
    if not isinstance(values, dict):
        raise invalid_request("The body must be a JSON object.")
    return values


def _answer(act: Callable[[], Any]) -> Response:
    try:
        result = act()
    except ApiError as error:
        return JSONResponse(error.body(""), status_code=error.status)
    return JSONResponse({"ok": True} if result is None else result)
