"""The hosted page of an invoice: `hosted_invoice_url`. A person reads it and pays it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stripe_double.engine.errors import ApiError
from stripe_double.engine.records import Record
from stripe_double.engine.world import World
from stripe_double.http.templates import render
from stripe_double.resources.catalog import perform
from stripe_double.resources.payment_methods import new_payment_method
from stripe_double.resources.test_cards import CARDS, card_of


class InvoicePage:
    """`GET /i/{invoice}`, `POST …/pay` with a test card."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The page's routes."""
        return [
            Route("/i/{invoice_id}", self.show),
            Route("/i/{invoice_id}/pay", self.pay, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The invoice; a draft has no page."""
        self._world.run_due()
        invoice = self._find(request)
        if invoice is None or invoice["status"] == "draft":
            return _notice()
        return self._page(invoice, status=200)

    async def pay(self, request: Request) -> Response:
        """Field: `card`. 303 to the page when it was paid, 402 and the page when not."""
        form = await request.form()
        self._world.run_due()
        invoice = self._find(request)
        if invoice is None or invoice["status"] == "draft":
            return _notice()
        try:
            refusal = self._collect(invoice, str(form.get("card") or ""))
        except ApiError as error:
            refusal = error
        if refusal is not None:
            current = self._find(request) or invoice
            return self._page(current, status=refusal.status, message=refusal.message)
        return RedirectResponse(f"/i/{invoice['id']}", status_code=303)

    def _collect(self, invoice: Record, number: str) -> ApiError | None:
        with self._world.transaction() as tx:
            billing = {"email": invoice["customer_email"], "name": invoice["customer_name"]}
            card = card_of(number, param="card")
            method = new_payment_method(tx, card, customer=invoice["customer"], billing=billing)
            result = perform(tx, "invoices.pay", invoice["id"], {"payment_method": method["id"]})
        return result if isinstance(result, ApiError) else None

    def _page(self, invoice: Record, *, status: int, message: str = "") -> HTMLResponse:
        text = render(
            "invoice.html", invoice=invoice, message=message, test_cards=list(CARDS.values())
        )
        return HTMLResponse(text, status_code=status)

    def _find(self, request: Request) -> Record | None:
        return self._world.store.find("invoice", request.path_params["invoice_id"])


def _notice() -> HTMLResponse:
    text = render("notice.html", text="There is no such invoice.", link=None)
    return HTMLResponse(text, status_code=404)
