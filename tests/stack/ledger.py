"""Stripe's side of the story: the double's ledger, its events, and the faults it can be told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from tests.fixtures.stack_processes import DOUBLE, WholeStack

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SessionAtStripe:
    """A Checkout Session as Stripe made it, and its state now."""

    id: str
    entity_id: int
    operation_key: str
    customer_id: str
    status: str
    subscription_id: str | None


class Ledger:
    """The double's control plane for what happened, Stripe's own API for how things stand."""

    def __init__(self, client: httpx.AsyncClient, secret_key: str) -> None:
        self._client = client
        self._authorization = {"Authorization": f"Bearer {secret_key}"}

    async def entries(self, kind: str, **facts: str) -> list[Record]:
        """Ledger entries of a kind with these facts, oldest first."""
        found: list[Record] = (await self._get("/_double/ledger", kind=kind, **facts))["entries"]
        return found

    async def events(self) -> list[Record]:
        """Every event that Stripe ever made."""
        found: list[Record] = (await self._get("/_double/events"))["events"]
        return found

    async def deliveries(self) -> list[Record]:
        """Every webhook delivery, with its state and attempts."""
        found: list[Record] = (await self._get("/_double/deliveries"))["deliveries"]
        return found

    async def customers(self) -> dict[str, int]:
        """Entity ids by the customer that was made for them."""
        return {
            record["id"]: int(record["metadata"]["billable_entity_id"])
            for record in await self._every("/v1/customers")
            if "billable_entity_id" in record["metadata"]
        }

    async def sessions(self, entity_ids: Collection[int]) -> list[SessionAtStripe]:
        """Every Checkout Session that was made for these entities."""
        return [
            SessionAtStripe(
                id=record["id"],
                entity_id=int(record["metadata"]["billable_entity_id"]),
                operation_key=record["metadata"]["operation_key"],
                customer_id=record["customer"],
                status=record["status"],
                subscription_id=record["subscription"],
            )
            for record in await self._every("/v1/checkout/sessions")
            if int(record["metadata"].get("billable_entity_id", 0)) in entity_ids
        ]

    async def forget_faults(self) -> None:
        """No request is spoiled any more."""
        answer = await self._client.delete("/_double/faults")
        answer.raise_for_status()

    async def tell(self, path: str, **values: Any) -> Record:
        """POST to the control plane."""
        answer = await self._client.post(f"/_double{path}", json=values)
        answer.raise_for_status()
        body: Record = answer.json()
        return body

    async def _every(self, path: str) -> list[Record]:
        found: list[Record] = []
        while True:
            after = {"starting_after": found[-1]["id"]} if found else {}
            page = await self._get(path, limit="100", **after)
            found += page["data"]
            if not page["has_more"]:
                return found

    async def _get(self, path: str, **query: str) -> Record:
        answer = await self._client.get(path, params=query, headers=self._authorization)
        answer.raise_for_status()
        body: Record = answer.json()
        return body


@asynccontextmanager
async def ledger(stack: WholeStack) -> AsyncIterator[Ledger]:
    """Open for one test."""
    async with httpx.AsyncClient(
        base_url=stack.url_of(DOUBLE), timeout=30, trust_env=False
    ) as client:
        yield Ledger(client, stack.stripe_secret_key)
