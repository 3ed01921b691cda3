"""From a record of the log to an event the core can fold. Pure; nothing is trusted yet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from billing_common.contracts.stripe_event_headers import StripeEventHeaders
from billing_common.messaging.records import Record
from billing_common.storage.tables.columns import CODE_BYTES, EXTERNAL_ID_BYTES
from billing_common.stripe_api.translate import StripeShapeUnexpected, object_from_stripe
from billing_common.stripe_api.versions import ApiVersionUnsupported, lift
from projection.decisions.event import ROUTES, RefusalCode, Refused, StripeEvent

_API_VERSION_BYTES: Final = 64
# Year 2286, as ingest has it.
_CREATED_MAX: Final = 9_999_999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An event of the log. `event` is None when its type is not routed.

    `account`, `object_id`, `object_type` and `customer_id` are None also when they are not what
    Stripe writes: they describe the event and decide nothing but whose it is.
    """

    offset: int
    headers: StripeEventHeaders
    payload: bytes
    account: str | None
    object_id: str | None
    object_type: str | None
    customer_id: str | None
    event: StripeEvent | Refused | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that ingest cannot have written: for the dead-letter topic."""

    record: Record
    reason: str
    problem: str


def receive(record: Record) -> Received | Unreadable:
    """Total over any bytes."""
    try:
        headers = _headers(record)
        body = json.loads(record.value or b"")
        source = body["data"]["object"]
        created_at = datetime.fromtimestamp(headers.created, UTC)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError, OSError) as error:
        return Unreadable(record, "not_an_event", type(error).__name__)
    if not isinstance(source, Mapping):
        return Unreadable(record, "not_an_event", "data.object is not an object")
    return Received(
        offset=record.offset,
        headers=headers,
        payload=record.value or b"",
        account=_text(body.get("account")),
        object_id=_text(source.get("id")),
        object_type=_text(source.get("object"), bytes_max=CODE_BYTES),
        customer_id=_customer_of(source),
        event=_event(headers, created_at, source),
    )


def _headers(record: Record) -> StripeEventHeaders:
    """Raises ValueError or KeyError for what ingest does not write, and no column would take."""
    headers = StripeEventHeaders.from_pairs(record.headers)
    texts = (
        (headers.event_id, EXTERNAL_ID_BYTES),
        (headers.event_type, CODE_BYTES),
        (headers.api_version or "none", _API_VERSION_BYTES),
    )
    if any(_text(text, bytes_max=bytes_max) is None for text, bytes_max in texts):
        raise ValueError("a header is not an id, a type or a version")
    if headers.received_at.tzinfo is None or not 0 < headers.created <= _CREATED_MAX:
        raise ValueError("a header is not a moment")
    return headers


def _event(
    headers: StripeEventHeaders, created_at: datetime, source: Mapping[str, Any]
) -> StripeEvent | Refused | None:
    if headers.event_type not in ROUTES:
        return None
    try:
        translated = object_from_stripe(lift(source, api_version=headers.api_version))
    except ApiVersionUnsupported as error:
        return Refused(RefusalCode.API_VERSION_UNSUPPORTED, str(error))
    except StripeShapeUnexpected as error:
        return Refused(RefusalCode.SHAPE_UNEXPECTED, str(error))
    return StripeEvent(
        event_id=headers.event_id,
        type=headers.event_type,
        created_at=created_at,
        object=translated,
    )


def _customer_of(source: Mapping[str, Any]) -> str | None:
    if source.get("object") == "customer":
        return _text(source.get("id"))
    customer = source.get("customer")
    return _text(customer.get("id")) if isinstance(customer, Mapping) else _text(customer)


def _text(value: object, *, bytes_max: int = EXTERNAL_ID_BYTES) -> str | None:
    """Stripe's ids and words are printable ASCII; anything else is none of them."""
    is_text = isinstance(value, str) and value.isascii() and value.isprintable()
    return str(value) if is_text and 0 < len(str(value)) <= bytes_max else None
