"""Where `next_action` sends the buyer: he proves who he is, or fails to, and goes back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stripe_double.engine.errors import ApiError
from stripe_double.engine.records import Record
from stripe_double.engine.world import World
from stripe_double.http.templates import render
from stripe_double.payment_control import PaymentControl


class AuthenticationPage:
    """`GET /c/authenticate/{intent}`, `POST …/complete`, `POST …/fail`."""

    def __init__(self, world: World, control: PaymentControl) -> None:
        self._world = world
        self._control = control

    def routes(self) -> list[Route]:
        """The page's routes."""
        return [
            Route("/c/authenticate/{intent_id}", self.show),
            Route("/c/authenticate/{intent_id}/complete", self.complete, methods=["POST"]),
            Route("/c/authenticate/{intent_id}/fail", self.fail, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The question, while the intent asks it; a notice otherwise."""
        self._world.run_due()
        intent = self._find(request)
        if intent is None:
            return _notice("There is no such authentication page.", status=404)
        if intent["status"] != "requires_action":
            return _notice("There is nothing to confirm any more.", status=409)
        text = render(
            "authentication.html",
            intent=intent,
            account_name=self._world.options.account_name,
        )
        return HTMLResponse(text)

    async def complete(self, request: Request) -> Response:
        """The buyer confirms; 303 to the return address when the intent has one."""
        return self._answer(request, succeeds=True)

    async def fail(self, request: Request) -> Response:
        """The buyer does not; 303 to the return address when the intent has one."""
        return self._answer(request, succeeds=False)

    def _answer(self, request: Request, *, succeeds: bool) -> Response:
        intent = self._find(request)
        if intent is None:
            return _notice("There is no such authentication page.", status=404)
        try:
            after = self._control.authenticate(intent["id"], succeeds=succeeds)
        except ApiError as error:
            return _notice(error.message, status=409)
        action = intent["next_action"] or {}
        address = (action.get("redirect_to_url") or {}).get("return_url")
        if address:
            return RedirectResponse(_with_outcome(address, after), status_code=303)
        told = {"succeeded": "Confirmed. Thank you.", "processing": "Confirmed. Thank you."}
        return _notice(told.get(after["status"], "This was not confirmed."), status=200)

    def _find(self, request: Request) -> Record | None:
        intent_id = request.path_params["intent_id"]
        kind = "setup_intent" if intent_id.startswith("seti_") else "payment_intent"
        return self._world.store.find(kind, intent_id)


def _with_outcome(address: str, intent: Record) -> str:
    """As Stripe adds it: the intent's id, its secret, and how the redirect ended."""
    status = "succeeded" if intent["status"] in {"succeeded", "requires_capture"} else "failed"
    kind = intent["object"]
    joiner = "&" if "?" in address else "?"
    return (
        f"{address}{joiner}{kind}={intent['id']}&{kind}_client_secret={intent['client_secret']}"
        f"&redirect_status={status}"
    )


def _notice(text: str, *, status: int) -> HTMLResponse:
    return HTMLResponse(render("notice.html", text=text, link=None), status_code=status)
