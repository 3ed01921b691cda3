"""One transaction: what a handler may read, change, emit and note, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stripe_double import API_VERSION
from stripe_double.engine.errors import resource_missing
from stripe_double.engine.event_types import wants
from stripe_double.engine.ids import Ids
from stripe_double.engine.ledger import Ledger
from stripe_double.engine.records import JsonObject, Record, changed_fields
from stripe_double.engine.store import Store


@dataclass(frozen=True, slots=True)
class Origin:
    """Who caused a transaction: an API request, or Stripe itself (both None)."""

    request_id: str | None = None
    idempotency_key: str | None = None


ENDPOINTS = ("webhook_endpoint", "v2.core.event_destination")
"""Collections of those that events are sent to."""

STRIPE_ITSELF = Origin()
"""The buyer's page, a timer, a retry: events caused by these carry no request."""


@dataclass(frozen=True, slots=True)
class TransactionOptions:
    """World settings that handlers must know."""

    account_country: str
    account_name: str
    page_base_url: str
    subscription_starts_as: str
    account_api_version: str = API_VERSION
    """Of requests that name no version, and of events for endpoints that name none."""
    events_listed_in: str = "account"
    """`account`: events are retrieved in the account's version; `request`: in the request's."""
    event_list_lag_seconds: float = 0.0
    """How late an event appears in lists."""
    subscription_after_retries: str = "cancel"

    def version_of_events(self, request_version: str) -> str:
        """The version in which a request sees events."""
        as_requested = self.events_listed_in == "request"
        return request_version if as_requested else self.account_api_version


class Transaction:
    """A handler's whole world. `now` is one virtual second for everything it does."""

    def __init__(
        self,
        *,
        store: Store,
        ids: Ids,
        ledger: Ledger,
        origin: Origin,
        now: int,
        options: TransactionOptions,
    ) -> None:
        self.store = store
        self.ledger = ledger
        self.origin = origin
        self.now = now
        """The second of everything made here; of an object on a test clock, that clock's."""
        self.world_now = now
        """The double's own second: of events, deliveries, the ledger and idempotency keys."""
        self.options = options
        self.new_deliveries: list[str] = []
        self.began = False
        """Whether stored state was looked at or changed: from then on it is an execution."""
        self._ids = ids

    def new_id(self, kind: str) -> str:
        """The next id of `kind` (see `ids.SHAPES`)."""
        return self._ids.next(kind)

    def find(self, collection: str, object_id: str) -> Record | None:
        """The record, or None when there is none or it is deleted."""
        self.began = True
        record = self.store.find(collection, object_id)
        return None if record is None or record.get("deleted") else record

    def get(self, collection: str, object_id: str, *, param: str = "id") -> Record:
        """The record. Missing: ApiError 404 when named by the path, 400 when by a parameter."""
        record = self.find(collection, object_id)
        if record is None:
            status = 404 if param == "id" else 400
            raise resource_missing(collection, object_id, param=param, status=status)
        return record

    def newest(self, collection: str, *, where: Record | None = None) -> Iterator[Record]:
        """Records that are not deleted, newest first."""
        self.began = True
        return (r for r in self.store.newest(collection, where=where) if not r.get("deleted"))

    def put(self, record: JsonObject) -> JsonObject:
        """Add or replace a Stripe object; the ledger notes the effect."""
        collection: str = record["object"]
        action = "updated" if self.store.find(collection, record["id"]) else "created"
        self.store.put(collection, record)
        self.ledger.append(
            "effect",
            self.world_now,
            action=action,
            object=collection,
            id=record["id"],
            request_id=self.origin.request_id,
        )
        return record

    def keep(self, collection: str, record: JsonObject) -> None:
        """Add or replace a record of the double's own; not an effect."""
        self.store.put(collection, record)

    def change(self, record: Record, event_type: str | None = None, **values: Any) -> JsonObject:
        """Replace `record` by a copy with `values`; announce it when anything differs."""
        after = self.put({**record, **values})
        if event_type is not None and (previous := changed_fields(record, after)):
            self.emit(event_type, after, previous)
        return after

    def emit(
        self,
        event_type: str,
        record: Record,
        previous: Record | None = None,
        *,
        to: Sequence[Record] | None = None,
        thin_data: JsonObject | None = None,
    ) -> JsonObject:
        """Make an event with a snapshot of `record`, and a delivery for each endpoint it suits.

        `to`: for these endpoints only. `thin_data`: what its thin form carries.
        """
        data: JsonObject = {"object": record}
        if previous is not None:
            data["previous_attributes"] = previous
        endpoints = to if to is not None else self._subscribers(event_type)
        event: JsonObject = {
            "id": self.new_id("event"),
            "object": "event",
            "api_version": self.options.account_api_version,
            "created": self.world_now,
            "data": data,
            "livemode": False,
            "pending_webhooks": len(endpoints),
            "request": {
                "id": self.origin.request_id,
                "idempotency_key": self.origin.idempotency_key,
            },
            "type": event_type,
        }
        if thin_data is not None:
            event["thin_data"] = thin_data
        self.store.put("event", event)
        self.ledger.append(
            "effect",
            self.world_now,
            action="emitted",
            object="event",
            id=event["id"],
            type=event_type,
            subject=record.get("id"),
            request_id=self.origin.request_id,
        )
        for endpoint in endpoints:
            self._address(event["id"], endpoint["id"])
        return event

    def _subscribers(self, event_type: str) -> list[Record]:
        return [
            endpoint
            for kind in ENDPOINTS
            for endpoint in self.store.oldest(kind)
            if wants(endpoint, event_type)
        ]

    def note_charge(self, **facts: Any) -> None:
        """Note money asked of a card: amount, currency, customer, outcome, and what it was for."""
        self.ledger.append("charge", self.world_now, request_id=self.origin.request_id, **facts)

    def _address(self, event_id: str, endpoint_id: str) -> None:
        delivery_id = self.new_id("delivery")
        self.store.put(
            "delivery",
            {
                "id": delivery_id,
                "event": event_id,
                "endpoint": endpoint_id,
                "attempts": 0,
                "state": "pending",
                "due_at": float(self.world_now),
            },
        )
        self.new_deliveries.append(delivery_id)
