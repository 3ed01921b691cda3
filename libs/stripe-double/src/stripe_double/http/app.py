"""The ASGI application: `/v1/` to the API pipeline, everything else to the pages."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from stripe_double.control import ControlPlane
from stripe_double.engine.errors import ApiError
from stripe_double.engine.world import World
from stripe_double.http.authentication_page import AuthenticationPage
from stripe_double.http.checkout_page import CheckoutPage
from stripe_double.http.control_routes import ControlRoutes
from stripe_double.http.endings import caller_gone, send_answer
from stripe_double.http.invoice_page import InvoicePage
from stripe_double.http.payment_link_page import PaymentLinkPage
from stripe_double.http.pipeline import Pipeline
from stripe_double.http.portal_page import PortalPage
from stripe_double.http.requests import (
    Answer,
    ApiRequest,
    CallerGone,
    Gone,
    Receive,
    Scope,
    Send,
    read_request,
)
from stripe_double.settings import Settings


class App:
    """Callable by any ASGI server. The double's tasks are run by `StripeDouble.running`."""

    def __init__(self, world: World, control: ControlPlane, settings: Settings) -> None:
        self._pipeline = Pipeline(world, settings.api_keys)
        routes: list[Route | Mount] = [
            Route("/livez", _live),
            *CheckoutPage(world, control).routes(),
            *AuthenticationPage(world, control).routes(),
            *PaymentLinkPage(world).routes(),
            *PortalPage(world).routes(),
            *InvoicePage(world).routes(),
        ]
        if settings.control:
            routes.append(Mount("/_double", ControlRoutes(world, control).asgi_app()))
        self._pages = Starlette(routes=routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await _accept_lifespan(receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(("/v1/", "/v2/")):
            with suppress(CallerGone):
                await send_answer(await self._answer(scope, receive), send)
        else:
            await self._pages(scope, receive, send)

    async def answer(self, request: ApiRequest, gone: Gone) -> Answer:
        """The answer to an API request that came without a server."""
        return await self._pipeline.answer(request, gone)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        try:
            request = await read_request(scope, receive)
        except ApiError as error:
            return Answer(error.status, json.dumps(error.body("")))
        return await self._pipeline.answer(request, partial(caller_gone, receive))


async def _live(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def _accept_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
