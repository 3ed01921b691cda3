"""The hosted checkout page. A person pays, is declined, or goes back; tests post the same forms."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stripe_double.control import DECLINED_CARD, GOOD_CARD, ControlPlane
from stripe_double.engine.errors import ApiError
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.engine.world import World
from stripe_double.http.portal_views import number_of
from stripe_double.http.templates import render
from stripe_double.resources.checkout_amounts import due_today
from stripe_double.resources.checkout_changes import apply_code, change_quantity
from stripe_double.resources.checkout_sessions import PLAN
from stripe_double.resources.test_accounts import ACCOUNTS
from stripe_double.resources.test_cards import CARDS

_PLACEHOLDER = "{CHECKOUT_SESSION_ID}"
_FIRST_CARDS = (GOOD_CARD, "5555555555554444", DECLINED_CARD, "4000000000009995")
"""The cards most wanted come first."""


class CheckoutPage:
    """`GET /c/pay/{cs}`, `GET …/back`; the forms `…/pay`, `…/decline`, `…/code`, `…/quantity`."""

    def __init__(self, world: World, control: ControlPlane) -> None:
        self._world = world
        self._control = control

    def routes(self) -> list[Route]:
        """The page's routes."""
        return [
            Route("/c/pay/{session_id}", self.show),
            Route("/c/pay/{session_id}/pay", self.pay, methods=["POST"]),
            Route("/c/pay/{session_id}/decline", self.decline, methods=["POST"]),
            Route("/c/pay/{session_id}/code", self.use_code, methods=["POST"]),
            Route("/c/pay/{session_id}/quantity", self.set_quantity, methods=["POST"]),
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

    async def use_code(self, request: Request) -> Response:
        """Field: `code`, empty to take it back."""
        form = await request.form()
        return self._change(request, lambda tx, s: apply_code(tx, s, _text(form, "code")))

    async def set_quantity(self, request: Request) -> Response:
        """Fields: `item`, `quantity`."""
        form = await request.form()

        def change(tx: Transaction, session: Record) -> JsonObject:
            quantity = number_of(_text(form, "quantity"), 1)
            return change_quantity(tx, session, _text(form, "item"), quantity)

        return self._change(request, change)

    async def back(self, request: Request) -> Response:
        """303 to the cancel URL; the session stays open."""
        session = self._find(request)
        if session is None or not session["cancel_url"]:
            return _notice("This page has nowhere to go back to.", status=404)
        return RedirectResponse(_fill(session["cancel_url"], session), status_code=303)

    def _change(
        self, request: Request, change: Callable[[Transaction, Record], JsonObject]
    ) -> Response:
        self._world.run_due()
        session = self._find(request)
        if session is None:
            return _notice("There is no such checkout page.", status=404)
        try:
            with self._world.transaction() as tx:
                change(tx, session)
        except ApiError as error:
            if session["status"] != "open":
                return self._closed(session)
            return self._page(session, status=error.status, message=error.message)
        return RedirectResponse(f"/c/pay/{session['id']}", status_code=303)

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
        target = paid["success_url"] or paid.get("return_url")
        if target:
            return _fill(target, paid)
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
        data = plan.get("subscription_data", {})
        text = render(
            "checkout.html",
            session=session,
            items=plan.get("items", []),
            due=due_today(session, plan),
            trial_days=data.get("trial_period_days"),
            trial_end=data.get("trial_end"),
            email=email or details.get("email") or "",
            message=message,
            account_name=self._world.options.account_name,
            methods=_methods(session["payment_method_types"]),
            optional=session["payment_method_collection"] == "if_required",
        )
        return HTMLResponse(text, status_code=status)

    def _find(self, request: Request) -> Record | None:
        return self._world.store.find("checkout.session", request.path_params["session_id"])


def _methods(types: list[str]) -> list[object]:
    """The test cards and accounts that this session accepts."""
    first = [CARDS[number] for number in _FIRST_CARDS]
    cards = [*first, *(card for card in CARDS.values() if card not in first)]
    accounts = [account for account in ACCOUNTS.values() if account.kind in types]
    return [*(cards if "card" in types else []), *accounts]


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _fill(url: str, session: Record) -> str:
    return url.replace(_PLACEHOLDER, session["id"])


def _notice(text: str, *, status: int, link: str | None = None) -> HTMLResponse:
    return HTMLResponse(render("notice.html", text=text, link=link), status_code=status)
