"""Asking for the truth: bounded in time for all objects together, and answers keep their fence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.projection.builders import subscription

from billing_common.domain.provider_outcome import ProviderFailure
from billing_common.stripe_api.port import Answer
from projection.decisions.event import Family, ObjectRef, Truth
from projection.handlers.truth import CONCURRENT_FETCHES, TruthSource


class SlowProvider:
    """Answers at once, except for objects that it never answers for, or says are not there."""

    async def retrieve_subscription(self, subscription_id: str) -> Any:
        if subscription_id.startswith("sub_hangs"):
            await asyncio.Event().wait()
        if subscription_id == "sub_gone":
            return ProviderFailure(404, "invalid_request_error", "resource_missing")
        return Answer(subscription(id=subscription_id))


def ref(subscription_id: str) -> ObjectRef:
    return ObjectRef(Family.SUBSCRIPTION, subscription_id)


@pytest.mark.requirement("EVT-07")
async def test_answers_carry_the_fence_and_what_is_not_there_is_absent() -> None:
    source = TruthSource(SlowProvider())  # type: ignore[arg-type]  # one method is enough here
    found = await source.fetch({ref("sub_1"): 3, ref("sub_gone"): 4})
    assert found == {ref("sub_1"): Truth(subscription(id="sub_1"), 3)}


async def test_a_provider_that_hangs_holds_nothing_up() -> None:
    """More than can be asked at once: those in the queue behind end in time as well."""
    source = TruthSource(SlowProvider(), seconds_max=0.2)  # type: ignore[arg-type]
    hanging = {ref(f"sub_hangs_{number}"): 0 for number in range(3 * CONCURRENT_FETCHES)}
    async with asyncio.timeout(5):
        found = await source.fetch({ref("sub_1"): 1, **hanging})
    assert set(found) == {ref("sub_1")}
    # And the slots are free again.
    assert set(await source.fetch({ref("sub_2"): 1})) == {ref("sub_2")}
