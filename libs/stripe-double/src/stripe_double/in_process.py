"""The double without a server: an httpx transport that is the whole of Stripe, faults included.

Where a real caller would wait until it gives up, this transport gives up at once: a request that
hangs is an `httpx.ReadTimeout` without any waiting, and goes on behind the caller's back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import httpx

from stripe_double.double import StripeDouble
from stripe_double.engine.records import JsonObject
from stripe_double.http.requests import Answer, ApiRequest, Ending

Result = TypeVar("Result")

_LOOPBACK_CALLER = ("127.0.0.1", 0)


class InProcessTransport(httpx.AsyncBaseTransport):
    """Answers every request, whatever host it names."""

    def __init__(self, double: StripeDouble) -> None:
        self._app = double.asgi_app
        self._pages = httpx.ASGITransport(app=self._app, client=_LOOPBACK_CALLER)
        self._hanging: set[asyncio.Task[Answer]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises what httpx raises when a connection fails or times out."""
        if not request.url.path.startswith(("/v1/", "/v2/")):
            return await self._pages.handle_async_request(request)
        answer = await self._answer(await _as_api_request(request), request)
        if answer.ending is Ending.RESET:
            raise httpx.ReadError("connection reset by a fault", request=request)
        if answer.ending in {Ending.DROPPED, Ending.TRUNCATED}:
            raise httpx.RemoteProtocolError("connection closed by a fault", request=request)
        return httpx.Response(
            answer.status, headers=answer.all_headers, content=answer.body.encode()
        )

    async def _answer(self, api_request: ApiRequest, request: httpx.Request) -> Answer:
        hangs, gave_up = asyncio.Event(), asyncio.Event()

        async def gone() -> None:
            hangs.set()
            await gave_up.wait()

        task = asyncio.ensure_future(self._app.answer(api_request, gone))
        hanging = asyncio.ensure_future(hangs.wait())
        await asyncio.wait({task, hanging}, return_when=asyncio.FIRST_COMPLETED)
        hanging.cancel()
        if task.done():
            return task.result()
        self._hanging.add(task)
        task.add_done_callback(self._hanging.discard)
        gave_up.set()
        raise httpx.ReadTimeout("no answer, by a fault", request=request)


async def _as_api_request(request: httpx.Request) -> ApiRequest:
    return ApiRequest(
        method=request.method,
        path=request.url.path,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.url.query.decode("ascii"),
        body=await request.aread(),
    )


class _SyncTransport(httpx.BaseTransport):
    def __init__(self, double: InProcessDouble) -> None:
        self._double = double

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._double.run(self._handle(request))

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        request.read()
        body = httpx.Request(
            request.method, request.url, headers=request.headers, content=request.content
        )
        answer = await self._double.transport.handle_async_request(body)
        content = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


class InProcessDouble:
    """A double that acts only while it is asked something. For one thread without a running loop.

    What happens beside requests waits for `settle`: webhooks, retries, late requests.
    """

    URL = "http://stripe.double"

    def __init__(self, double: StripeDouble) -> None:
        self.double = double
        self.control = double.control
        self.api_key = double.settings.api_keys[0]
        self.url = self.URL
        self.transport = InProcessTransport(double)
        self._loop = asyncio.new_event_loop()

    def run(self, action: Awaitable[Result]) -> Result:
        """Run something in the double's own loop until it is done."""

        async def wait() -> Result:
            return await action

        return self._loop.run_until_complete(wait())

    def settle(self) -> None:
        """All that is due happens and is delivered, one after the other."""
        self.run(self.double.settle())

    def ledger(self, kind: str | None = None, **facts: Any) -> list[JsonObject]:
        """Ledger entries of a kind with these facts."""
        return self.control.ledger(kind, **facts)

    def client(self, **headers: str) -> httpx.Client:
        """Plain HTTP with the right key, for pages and for what the SDK would not send."""
        headers = {"authorization": f"Bearer {self.api_key}", **headers}
        return httpx.Client(base_url=self.url, headers=headers, transport=_SyncTransport(self))

    def http_client(self, sdk_client: Any) -> Any:
        """The same `stripe.HTTPXClient(allow_sync_methods=True)`, pointed at this double."""
        if not hasattr(sdk_client, "_client_async"):
            message = "give a stripe.HTTPXClient(allow_sync_methods=True)"
            raise TypeError(message)
        sdk_client._client = httpx.Client(transport=_SyncTransport(self))
        sdk_client._client_async = httpx.AsyncClient(transport=self.transport)
        return sdk_client

    def close(self) -> None:
        """Forget the world; requests that still hang are cancelled."""
        hanging = asyncio.all_tasks(self._loop)
        for task in hanging:
            task.cancel()
        if hanging:
            self._loop.run_until_complete(asyncio.gather(*hanging, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
        self.double.close()
