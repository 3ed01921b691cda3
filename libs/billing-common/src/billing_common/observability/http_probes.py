"""/livez, /readyz and /metrics, the same for every service.

Liveness asks only whether this process still works (its consume tasks, its loop): never the
database or the broker, or an outage would become a restart storm. Readiness asks for those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Probe = Callable[[], Awaitable[bool]]
PROBE_TIMEOUT_SECONDS: Final = 2.0


async def _ask(probes: Mapping[str, Probe]) -> JSONResponse:
    async def one(probe: Probe) -> bool:
        try:
            return await asyncio.wait_for(probe(), PROBE_TIMEOUT_SECONDS)
        except Exception:  # noqa: BLE001 - a probe that raises is a probe that says no
            return False

    answers = dict(zip(probes, await asyncio.gather(*map(one, probes.values())), strict=True))
    return JSONResponse(
        {"ok": all(answers.values()), "checks": answers},
        status_code=200 if all(answers.values()) else 503,
    )


def probe_routes(*, live: Mapping[str, Probe], ready: Mapping[str, Probe]) -> list[Route]:
    """Three GET routes. Each probe answers within PROBE_TIMEOUT_SECONDS or counts as no."""

    async def livez(_request: Request) -> Response:
        return await _ask(live)

    async def readyz(_request: Request) -> Response:
        return await _ask({**live, **ready})

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
