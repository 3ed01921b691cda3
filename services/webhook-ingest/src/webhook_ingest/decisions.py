"""What a signed body must say to be a Stripe event, and which log key it gets.

Pure. The body is parsed only as far as routing needs; its meaning is projection's business.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from billing_common.domain.event_routing import routing_subject
from billing_common.domain.failure_codes import FailureCode

_EVENT_ID: Final = re.compile(r"evt_[A-Za-z0-9_]{1,250}", re.ASCII)
_EVENT_TYPE: Final = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+", re.ASCII)
_API_VERSION: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
# Printable ASCII without spaces: an id from Stripe is narrower, a hostile one ends here.
_OBJECT_ID: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_EVENT_TYPE_LENGTH_MAX: Final = 120
# Year 2286: anything later is not a moment of this service's life.
_CREATED_MAX: Final = 9_999_999_999


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """What routing needs. `created` in epoch seconds; `key` is the customer, else the object, else
    the event itself: an object without identity (`balance`) has no history to keep in order."""

    id: str
    type: str
    created: int
    api_version: str | None
    livemode: bool
    key: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The body is signed and still not for this endpoint."""

    code: FailureCode


def decide_event(
    payload: bytes, *, expected_livemode: bool, expected_account_id: str | None
) -> StripeEvent | Refused:
    """Total over every byte string: a Stripe event of our mode and account, or the refusal."""
    event = _parse(payload)
    routed = _route(event) if event is not None else None
    if event is None or routed is None:
        return Refused(FailureCode.WEBHOOK_PAYLOAD_INVALID)
    account = event.get("account")
    if account is not None and not isinstance(account, str):
        return Refused(FailureCode.WEBHOOK_PAYLOAD_INVALID)
    is_foreign = expected_account_id is not None and account not in (None, expected_account_id)
    if is_foreign or routed.livemode is not expected_livemode:
        return Refused(FailureCode.WEBHOOK_MODE_MISMATCH)
    return routed


def _parse(payload: bytes) -> dict[str, Any] | None:
    try:
        # Decoding first: json.loads(bytes) would also guess UTF-16 and UTF-32.
        value = _DECODER.decode(payload.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _route(event: dict[str, Any]) -> StripeEvent | None:
    event_id = _matching(_EVENT_ID, event.get("id"))
    event_type = _matching(_EVENT_TYPE, event.get("type"))
    key = _routing_key(event.get("data"), event_id)
    created, livemode, version = (
        event.get("created"),
        event.get("livemode"),
        event.get("api_version"),
    )
    if event_id is None or event_type is None or key is None:
        return None
    if len(event_type) > _EVENT_TYPE_LENGTH_MAX or not isinstance(livemode, bool):
        return None
    if type(created) is not int or not 0 < created <= _CREATED_MAX:
        return None
    if version is not None and _matching(_API_VERSION, version) is None:
        return None
    return StripeEvent(event_id, event_type, created, version, livemode, key)


def _routing_key(data: Any, event_id: str | None) -> str | None:
    # Everything of one customer in one partition, so that its order is kept.
    subject = data.get("object") if isinstance(data, dict) else None
    if not isinstance(subject, dict):
        return None
    key = routing_subject(subject)
    if key is None and isinstance(subject.get("object"), str):
        return event_id
    return _matching(_OBJECT_ID, key)


def _matching(pattern: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number that no float holds")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)
