"""`/_double/`: one page to look at the world, pay, decline and move time."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stripe_double.control import ControlPlane
from stripe_double.engine.errors import ApiError, invalid_request
from stripe_double.engine.records import Record
from stripe_double.engine.world import World
from stripe_double.http.templates import render

_SHOWN = 25


class Dashboard:
    """`GET /_double/` and the forms on it."""

    def __init__(self, world: World, control: ControlPlane) -> None:
        self._world = world
        self._control = control

    def routes(self) -> list[Route]:
        """The page and its form targets."""
        return [
            Route("/", self.show),
            Route("/forms/{action}", self.act, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The newest objects of each kind."""
        self._world.run_due()
        text = render(
            "dashboard.html",
            message=request.query_params.get("message", ""),
            now=self._world.clock.now,
            ticking=self._world.clock.ticking,
            sessions=self._newest("checkout.session"),
            subscriptions=self._newest("subscription"),
            invoices=self._newest("invoice"),
            customers=self._newest("customer"),
            events=self._newest("event"),
            deliveries=self._newest("delivery"),
            counts={
                name: self._world.store.count(name)
                for name in ("customer", "checkout.session", "subscription", "invoice", "event")
            },
            faults=self._world.faults.pending(),
            webhook_faults=self._control.set_webhook_faults(),
        )
        return HTMLResponse(text)

    async def act(self, request: Request) -> Response:
        """Do what a button says, then show the page again with the outcome."""
        form = await request.form()
        target = str(form.get("id") or "")
        try:
            message = self._do(request.path_params["action"], target, str(form.get("value") or ""))
        except ApiError as error:
            message = error.message
        return RedirectResponse(f"/_double/?message={quote(message)}", status_code=303)

    def _do(self, action: str, target: str, value: str) -> str:
        control = self._control
        actions: dict[str, Callable[[], str]] = {
            "pay": lambda: f"Paid {control.pay(target, email='buyer@example.com')['id']}",
            "decline": lambda: f"Declined: {control.decline(target)['message']}",
            "abandon": lambda: f"Session {control.abandon(target)['status']}",
            "renew": lambda: f"Renewed: invoice {control.renew(target)['status']}",
            "miss": lambda: f"Renewal declined: invoice {self._miss(target)}",
            "cancel": lambda: f"Subscription {control.end_subscription(target)['status']}",
            "redeliver": lambda: f"Sent again to {control.redeliver(target)} endpoint(s)",
            "advance": lambda: f"Clock moved on: {control.advance(_seconds(value))}",
        }
        if action not in actions:
            raise invalid_request(f"There is no action {action}.")
        return actions[action]()

    def _miss(self, subscription_id: str) -> str:
        return str(self._control.renew(subscription_id, decline_code="generic_decline")["status"])

    def _newest(self, collection: str) -> list[Record]:
        found = self._world.store.newest(collection)
        return [record for _, record in zip(range(_SHOWN), found, strict=False)]


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise invalid_request(f"Not a number of seconds: {text}") from error
