"""The hosted checkout page. A person pays, is declined, or goes back; tests post the same forms."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stripe_double.control import DECLINED_CARD, GOOD_CARD, ControlPlane
from stripe_double.engine.errors import ApiError
from stripe_double.engine.records import Record
from stripe_double.engine.world import World
from stripe_double.http.templates import render
from stripe_double.resources.checkout_sessions import PLAN

_PLACEHOLDER = "{CHECKOUT_SESSION_ID}"


class CheckoutPage:
    """`GET /c/pay/{cs}`, `POST …/pay`, `POST …/decline`, `GET …/back`."""

    def __init__(self, world: World, control: ControlPlane) -> None:
        self._world = world
        self._control = control

    def routes(self) -> list[Route]:
        """The page's routes."""
        return [
            Route("/c/pay/{session_id}", self.show),
            Route("/c/pay/{session_id}/pay", self.pay, methods=["POST"]),
            Route("/c/pay/{session_id}/decline", self.decline, methods=["POST"]),
            Route("/c/pay/{session_id}/back", self.back),
        ]

    async def show(self, request: Request) -> Response:
        """The page of an open session; a notice for any other."""
        self._world.run_due()
        session = self._find(request)
        if session is None:
            return _notice("There is no such checkout page.", status=404)
        if session["status"] != "open":
            return self._closed(session)
        return self._page(session, status=200)

    async def pay(self, request: Request) -> Response:
        """Fields: `card` (default: one that works), `email`, `name`. 303 to the success URL."""
        form = await request.form()
        return self._submit(
            request,
            card=str(form.get("card") or GOOD_CARD),
            email=str(form.get("email") or ""),
            name=str(form.get("name") or ""),
        )

    async def decline(self, request: Request) -> Response:
        """The same form, with a card that its bank refuses: 402 and the page again."""
        form = await request.form()
        return self._submit(
            request, card=DECLINED_CARD, email=str(form.get("email") or ""), name=""
        )

    async def back(self, request: Request) -> Response:
        """303 to the cancel URL; the session stays open."""
        session = self._find(request)
        if session is None or not session["cancel_url"]:
            return _notice("This page has nowhere to go back to.", status=404)
        return RedirectResponse(_fill(session["cancel_url"], session), status_code=303)

    def _submit(self, request: Request, *, card: str, email: str, name: str) -> Response:
        session = self._find(request)
        if session is None:
            return _notice("There is no such checkout page.", status=404)
        try:
            paid = self._control.pay(session["id"], card=card, email=email, name=name)
        except ApiError as error:
            current = self._find(request) or session
            if current["status"] != "open":
                return self._closed(current)
            return self._page(current, status=error.status, message=error.message, email=email)
        return RedirectResponse(self._after(paid), status_code=303)

    def _after(self, paid: Record) -> str:
        """Where a buyer goes who has paid: the success address, or this page, which confirms."""
        if paid["success_url"]:
            return _fill(paid["success_url"], paid)
        return f"{self._world.options.page_base_url}/c/pay/{paid['id']}"

    def _closed(self, session: Record) -> Response:
        if session["status"] == "complete" and session["success_url"] is None:
            return _notice(self._confirmation(session), status=200)
        if session["status"] == "complete":
            return _notice("This checkout is complete.", status=409, link=session["success_url"])
        return _notice("This checkout has expired.", status=410, link=session["cancel_url"])

    def _confirmation(self, session: Record) -> str:
        link = self._world.store.find("payment_link", session["payment_link"] or "") or {}
        hosted = (link.get("after_completion") or {}).get("hosted_confirmation") or {}
        return hosted.get("custom_message") or "Thanks for your payment."

    def _page(
        self, session: Record, *, status: int, message: str = "", email: str = ""
    ) -> HTMLResponse:
        plan = self._world.store.find(PLAN, session["id"]) or {}
        details = session["customer_details"] or {}
        text = render(
            "checkout.html",
            session=session,
            items=plan.get("items", []),
            trial_days=plan.get("subscription_data", {}).get("trial_period_days"),
            email=email or details.get("email") or "",
            message=message,
            account_name=self._world.options.account_name,
        )
        return HTMLResponse(text, status_code=status)

    def _find(self, request: Request) -> Record | None:
        return self._world.store.find("checkout.session", request.path_params["session_id"])


def _fill(url: str, session: Record) -> str:
    return url.replace(_PLACEHOLDER, session["id"])


def _notice(text: str, *, status: int, link: str | None = None) -> HTMLResponse:
    return HTMLResponse(render("notice.html", text=text, link=link), status_code=status)
