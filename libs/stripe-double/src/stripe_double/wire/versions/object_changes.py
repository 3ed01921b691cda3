"""Fields of objects that a train renamed or reshaped, told backwards: new shape in, old shape out.

`find(collection, id)` looks up an object that the old shape contains and the new one names by id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stripe_double.engine.records import JsonObject, Record

Find = Callable[[str, str], Record | None]
Reshape = Callable[[JsonObject, Find], JsonObject]

_OLD_UI_MODES = {"hosted_page": "hosted", "embedded_page": "embedded", "elements": "custom"}
_NEW_FLOW = "subscription_pause"


def _session_before_dahlia(session: JsonObject, _find: Find) -> JsonObject:
    mode = session.get("ui_mode")
    if not isinstance(mode, str):
        return session
    return {**session, "ui_mode": _OLD_UI_MODES.get(mode, mode)}


def _discount_before_clover(discount: JsonObject, find: Find) -> JsonObject:
    return _with_coupon(discount, "source", find)


def _promotion_code_before_clover(code: JsonObject, find: Find) -> JsonObject:
    return _with_coupon(code, "promotion", find)


def _with_coupon(record: JsonObject, holder: str, find: Find) -> JsonObject:
    """`coupon`, an object, stands for what `holder` names since clover."""
    held = record.get(holder)
    if not isinstance(held, Mapping):
        return record
    coupon: Any = held.get("coupon")
    if isinstance(coupon, str):
        coupon = find("coupon", coupon) or coupon
    return {**record, "coupon": coupon}


def _portal_session_before_endive(session: JsonObject, _find: Find) -> JsonObject:
    flow = session.get("flow")
    if not isinstance(flow, Mapping):
        return session
    return {**session, "flow": {name: flow[name] for name in flow if name != _NEW_FLOW}}


RESHAPED: Mapping[str, Mapping[str, Reshape]] = {
    "endive": {"billing_portal.session": _portal_session_before_endive},
    "dahlia": {"checkout.session": _session_before_dahlia},
    "clover": {
        "discount": _discount_before_clover,
        "promotion_code": _promotion_code_before_clover,
    },
}
"""By train: object type -> the function that undoes the train's change. Run before `ADDED`."""
