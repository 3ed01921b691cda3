"""The customer portal: plan, cards, details and invoices of a customer; deep-linked steps."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stripe_double.control import GOOD_CARD
from stripe_double.engine.errors import ApiError
from stripe_double.engine.records import JsonObject
from stripe_double.engine.world import World
from stripe_double.http import portal_views
from stripe_double.http.templates import render
from stripe_double.portal import Portal, Visit

Step = Callable[[Visit, Request], JsonObject]

_DONE = {
    "cancel": "Your subscription has been canceled.",
    "resume": "Your subscription will continue.",
    "update": "Your subscription has been updated.",
    "cards": "Your payment method has been updated.",
    "details": "Your information has been updated.",
}


class PortalPage:
    """`GET /p/session/{token}` and the steps below it; every POST answers 303."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._portal = Portal(world)
        self._views = portal_views.PortalViews(world, self._portal)

    def routes(self) -> list[Route]:
        """The portal's routes."""
        base = "/p/session/{token}"
        one = f"{base}/subscriptions/{{subscription_id}}"
        return [
            Route(base, self.home),
            Route(f"{base}/done", self.done),
            Route(f"{one}/cancel", self._step("portal_cancel.html", self._views.cancel)),
            Route(f"{one}/update", self._step("portal_update.html", self._views.update)),
            Route(f"{one}/confirm", self._step("portal_confirm.html", self._views.confirm)),
            Route(f"{base}/cards", self._step("portal_card.html", self._views.card)),
            Route(f"{base}/details", self._step("portal_details.html", self._views.details)),
            Route(f"{one}/cancel", self._act(self._cancel, "cancel"), methods=["POST"]),
            Route(f"{one}/resume", self._act(self._resume, "resume"), methods=["POST"]),
            Route(f"{one}/update", self._act(self._update, "update"), methods=["POST"]),
            Route(f"{base}/cards", self._act(self._add_card, "cards"), methods=["POST"]),
            Route(
                f"{base}/cards/{{method_id}}/default",
                self._act(self._choose_card, "cards"),
                methods=["POST"],
            ),
            Route(f"{base}/details", self._act(self._details, "details"), methods=["POST"]),
        ]

    async def home(self, request: Request) -> Response:
        """The portal's first page; with a flow that is left, the step it is about."""
        try:
            visit = self._portal.open(request.path_params["token"])
        except ApiError as error:
            return _notice(error)
        if visit.flow is not None:
            return RedirectResponse(portal_views.step_of(visit), status_code=303)
        message = _DONE.get(request.query_params.get("done", ""), "")
        values = {**self._views.home(visit), "message": message}
        return self._render("portal_home.html", visit, values)

    async def done(self, request: Request) -> Response:
        """The confirmation of a flow that ends with one."""
        try:
            visit = self._portal.open(request.path_params["token"])
        except ApiError as error:
            return _notice(error)
        after = (visit.session["flow"] or {}).get("after_completion") or {}
        custom = (after.get("hosted_confirmation") or {}).get("custom_message")
        message = _DONE.get(request.query_params.get("done", ""), "Done.")
        return self._render("portal_done.html", visit, {"message": message, "custom": custom})

    def _step(self, template: str, view: Step) -> Callable[..., object]:
        async def endpoint(request: Request) -> Response:
            try:
                visit = self._portal.open(request.path_params["token"])
                return self._render(template, visit, view(visit, request))
            except ApiError as error:
                return _notice(error)

        return endpoint

    def _act(self, action: Callable[[Request, FormData], None], name: str) -> Callable[..., object]:
        async def endpoint(request: Request) -> Response:
            form, token = await request.form(), request.path_params["token"]
            try:
                before = self._portal.open(token)
                action(request, form)
                after = self._portal.open(token)
            except ApiError as error:
                return _notice(error, back=f"/p/session/{token}")
            return RedirectResponse(_next_address(before, after, name), status_code=303)

        return endpoint

    def _cancel(self, request: Request, form: FormData) -> None:
        self._portal.cancel(
            request.path_params["token"],
            request.path_params["subscription_id"],
            feedback=_text(form, "feedback"),
            comment=_text(form, "comment"),
        )

    def _resume(self, request: Request, _form: FormData) -> None:
        self._portal.resume(request.path_params["token"], request.path_params["subscription_id"])

    def _update(self, request: Request, form: FormData) -> None:
        visit = self._portal.open(request.path_params["token"])
        subscription = self._portal.subscription(visit, request.path_params["subscription_id"])
        item = subscription["items"]["data"][0]
        self._portal.change_plan(
            visit.token,
            subscription["id"],
            price=_text(form, "price") or item["price"]["id"],
            quantity=portal_views.number_of(_text(form, "quantity"), item["quantity"]),
        )

    def _add_card(self, request: Request, form: FormData) -> None:
        self._portal.add_card(
            request.path_params["token"],
            number=_text(form, "card") or GOOD_CARD,
            name=_text(form, "name"),
        )

    def _choose_card(self, request: Request, _form: FormData) -> None:
        self._portal.choose_card(request.path_params["token"], request.path_params["method_id"])

    def _details(self, request: Request, form: FormData) -> None:
        self._portal.change_details(
            request.path_params["token"], email=_text(form, "email"), name=_text(form, "name")
        )

    def _render(self, template: str, visit: Visit, values: JsonObject) -> HTMLResponse:
        return HTMLResponse(
            render(
                template,
                account_name=self._world.options.account_name,
                base=f"/p/session/{visit.token}",
                visit=visit,
                **values,
            )
        )


def _next_address(before: Visit, after: Visit, name: str) -> str:
    """Where a customer goes after a step: what the flow says, or the portal's first page."""
    flow, home = before.flow, f"/p/session/{before.token}"
    if flow is None or after.flow is not None:
        return f"{home}?done={name}"
    completion = flow["after_completion"]
    if completion["type"] == "redirect":
        return str(completion["redirect"]["return_url"])
    if completion["type"] == "hosted_confirmation":
        return f"{home}/done?done={name}"
    return f"{home}?done={name}"


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _notice(error: ApiError, back: str | None = None) -> HTMLResponse:
    status = error.status
    text = render("notice.html", text=error.message, link=back, label="Back to your billing")
    return HTMLResponse(text, status_code=status)
