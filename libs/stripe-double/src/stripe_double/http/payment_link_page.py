"""The address of a payment link: each visit begins a Checkout Session of its own."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stripe_double.engine.errors import ApiError
from stripe_double.engine.world import World
from stripe_double.http.templates import render
from stripe_double.resources import payment_links


class PaymentLinkPage:
    """`GET /b/{token}`: 303 to the checkout page of a new session, or a notice."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The page's route."""
        return [Route("/b/{token}", self.visit)]

    async def visit(self, request: Request) -> Response:
        """`prefilled_email` and `client_reference_id` in the query go to the session."""
        self._world.run_due()
        query = request.query_params
        try:
            with self._world.transaction() as tx:
                link = payment_links.find_link(tx, request.path_params["token"])
                if link is None:
                    return _notice("There is no such payment link.", status=404)
                session = payment_links.visit(
                    tx,
                    link,
                    email=query.get("prefilled_email"),
                    reference=query.get("client_reference_id"),
                )
        except ApiError as error:
            return _notice(error.message, status=410)
        return RedirectResponse(str(session["url"]), status_code=303)


def _notice(text: str, *, status: int) -> HTMLResponse:
    return HTMLResponse(render("notice.html", text=text, link=None), status_code=status)
