"""How an API request meets its fault: tables from fault kind to what happens at each stage.

Stages: `at_the_gate` is before the idempotency layer, `before` in the layer and before execution,
`instead` takes the place of an execution and is kept, `after` is between commit and answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from stripe_double.engine.errors import (
    ApiError,
    card_declined,
    internal_error,
    invalid_request,
)
from stripe_double.engine.faults import Fault, FaultKind
from stripe_double.engine.world import World
from stripe_double.http.requests import Answer, Ending, Gone

HANG_LIMIT_SECONDS = 120.0
"""The longest that a request hangs for a caller who never gives up."""

NO_ANSWER = Answer(0, "", ending=Ending.DROPPED)

_ON_REPLAY = frozenset(
    {
        *(FaultKind.ERROR_BEFORE, FaultKind.DROP_BEFORE, FaultKind.TIMEOUT_BEFORE),
        *(FaultKind.DELAY, FaultKind.LATE_EXECUTION),
    }
)
"""Faults of the way to Stripe: they befall a request whose answer is kept already as well."""

_ENDINGS = {
    FaultKind.DROP_AFTER: Ending.DROPPED,
    FaultKind.TRUNCATE: Ending.TRUNCATED,
    FaultKind.RESET: Ending.RESET,
    FaultKind.SLOW_DRIP: Ending.DRIPPED,
}


class Hostility:
    """One request's fault, acted out stage by stage. Without a fault nothing happens."""

    def __init__(self, world: World, fault: Fault | None, gone: Gone) -> None:
        self._world = world
        self._fault = fault
        self._gone = gone

    @property
    def kind(self) -> FaultKind | None:
        """The kind of the fault, if there is one."""
        return None if self._fault is None else self._fault.kind

    async def at_the_gate(self) -> None:
        """ApiError 429, or a wait until the caller is gone and the request arrives late."""
        if self.kind is FaultKind.RATE_LIMIT:
            raise rate_limited("Request rate limit exceeded.", "rate_limit", "global-rate")
        if self.kind is FaultKind.LOCK_TIMEOUT:
            raise rate_limited(_LOCKED, "lock_timeout", "resource-specific")
        if self.kind is FaultKind.LATE_ARRIVAL:
            await self._hang()
            await self._wait()

    async def before(self, *, is_replay: bool = False) -> Answer | None:
        """What happens instead of going on: an ApiError, an answer, or None to go on."""
        if self._fault is None or (is_replay and self.kind not in _ON_REPLAY):
            return None
        act = _BEFORE.get(self._fault.kind)
        return None if act is None else await act(self, self._fault)

    def instead(self) -> ApiError | None:
        """The result that takes the place of an execution and is kept."""
        if self._fault is None:
            return None
        if self.kind is FaultKind.DECLINE:
            return card_declined(self._fault.decline_code)
        return internal_error() if self.kind is FaultKind.ERROR_SAVED else None

    def kept_error(self) -> ApiError | None:
        """The error that is kept although the request was executed."""
        is_sticky = self._fault is not None and self._fault.status == 500
        return internal_error() if is_sticky and self.kind is FaultKind.ERROR_AFTER else None

    async def after(self, answer: Answer, deliveries: Sequence[str] = ()) -> Answer:
        """The answer as the caller gets it, when the caller gets it."""
        if first := self._go_first(deliveries):
            await self._world.courier.first_attempts(first)
        fault = self._fault
        if fault is None:
            return answer
        if self.kind is FaultKind.DELAY_AFTER:
            await asyncio.sleep(fault.delay_ms / 1000)
        if self.kind is FaultKind.TIMEOUT_AFTER:
            await self._hang()
            return NO_ANSWER
        answer = replace(answer, drip_ms=fault.delay_ms, cut_percent=fault.cut_percent)
        if self.kind is FaultKind.MALFORMED:
            return replace(answer, body=answer.beginning)
        if self.kind is FaultKind.ERROR_AFTER and fault.status != 500:
            return gateway_error(fault.status)
        return replace(answer, ending=_ENDINGS.get(fault.kind, Ending.WHOLE))

    def _go_first(self, deliveries: Sequence[str]) -> Sequence[str]:
        """The deliveries whose first attempt the answer waits for."""
        if self.kind is FaultKind.REPLY_AFTER_WEBHOOKS:
            return deliveries
        return self._world.deliveries_before_reply(deliveries)

    async def _hang(self) -> None:
        try:
            async with asyncio.timeout(HANG_LIMIT_SECONDS):
                await self._gone()
        except TimeoutError:
            return

    async def _wait(self) -> None:
        fault = self._fault
        if fault is None:
            return
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.delay_seconds:
            await self._world.wait_until(self._world.clock.now_exact + fault.delay_seconds)

    async def _refuse(self, fault: Fault) -> Answer | None:
        if fault.kind is FaultKind.CONFLICT:
            raise ApiError(409, "invalid_request_error", _LOCKED, code="lock_timeout")
        if fault.kind is FaultKind.BAD_REQUEST:
            raise invalid_request("This request was refused by a fault.")
        if fault.status != 500:
            return gateway_error(fault.status)
        raise internal_error()

    async def _drop(self, _fault: Fault) -> Answer | None:
        return NO_ANSWER

    async def _hang_up(self, _fault: Fault) -> Answer | None:
        await self._hang()
        return NO_ANSWER

    async def _delay(self, _fault: Fault) -> Answer | None:
        await self._wait()
        return None

    async def _be_late(self, _fault: Fault) -> Answer | None:
        await self._hang()
        await self._wait()
        return None


_Act = Callable[[Hostility, Fault], Awaitable[Answer | None]]
_BEFORE: dict[FaultKind, _Act] = {
    FaultKind.CONFLICT: Hostility._refuse,
    FaultKind.BAD_REQUEST: Hostility._refuse,
    FaultKind.ERROR_BEFORE: Hostility._refuse,
    FaultKind.DROP_BEFORE: Hostility._drop,
    FaultKind.TIMEOUT_BEFORE: Hostility._hang_up,
    FaultKind.DELAY: Hostility._delay,
    FaultKind.LATE_EXECUTION: Hostility._be_late,
}

_LOCKED = (
    "This object cannot be accessed right now because another API request or Stripe process is "
    "currently accessing it."
)


def rate_limited(message: str, code: str, reason: str) -> ApiError:
    """429, decided before the idempotency layer. `reason`: Stripe's word for which limit it was."""
    headers = {"Stripe-Rate-Limited-Reason": reason}
    return ApiError(429, "invalid_request_error", message, code=code, headers=headers)


def gateway_error(status: int) -> Answer:
    """What something in front of Stripe answers: a page, not JSON."""
    page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
    return Answer(status, page, {"content-type": "text/html"})
