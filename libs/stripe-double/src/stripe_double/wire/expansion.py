"""`expand`: ids replaced by their objects, and includable lists added, up to four levels deep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stripe_double.engine.errors import invalid_request
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction

_MAX_DEPTH = 4

# Fields whose value is an id that may be expanded: field name -> collection.
_BY_FIELD = {
    "balance_transaction": "balance_transaction",
    "coupon": "coupon",
    "credit_note": "credit_note",
    "customer_balance_transaction": "customer_balance_transaction",
    "failure_balance_transaction": "balance_transaction",
    "latest_attempt": "setup_attempt",
    "promotion_code": "promotion_code",
    "refund": "refund",
    "released_subscription": "subscription",
    "schedule": "subscription_schedule",
    "test_clock": "test_helpers.test_clock",
    "pending_setup_intent": "setup_intent",
    "setup_intent": "setup_intent",
    "customer": "customer",
    "product": "product",
    "price": "price",
    "default_price": "price",
    "subscription": "subscription",
    "invoice": "invoice",
    "latest_invoice": "invoice",
    "payment_intent": "payment_intent",
    "latest_charge": "charge",
    "charge": "charge",
    "payment_method": "payment_method",
    "default_payment_method": "payment_method",
    "configuration": "billing_portal.configuration",
    "payment_link": "payment_link",
    "feature": "entitlements.feature",
}

# Fields that may name objects of several kinds.
_BY_FIELD_ANY = {"source": ("charge", "refund", "dispute")}
# Fields whose value is a list of ids.
_LISTS = {"discounts": "discount"}

Includable = Callable[[Transaction, Record], JsonObject | None]


def expand(
    tx: Transaction,
    answer: JsonObject,
    paths: list[str],
    includables: Mapping[tuple[str, str], Includable],
) -> JsonObject:
    """A copy of `answer` with every path expanded. A path that cannot be: ApiError 400."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > _MAX_DEPTH:
            raise invalid_request(
                f"You cannot expand more than {_MAX_DEPTH} levels of a property: {path}",
                param="expand",
            )
        answer = _Expansion(tx, includables, path).follow(answer, steps)
    return answer


class _Expansion:
    def __init__(
        self, tx: Transaction, includables: Mapping[tuple[str, str], Includable], path: str
    ) -> None:
        self._tx = tx
        self._includables = includables
        self._path = path

    def follow(self, node: Any, steps: list[str]) -> Any:
        if isinstance(node, list):
            return [self.follow(item, steps) for item in node]
        if not isinstance(node, Mapping):
            raise self._impossible()
        step, rest = steps[0], steps[1:]
        includable = self._includables.get((node.get("object", ""), step))
        value = self._value(node, step) if includable is None else includable(self._tx, node)
        if rest and value is not None:
            value = self.follow(value, rest)
        elif not rest and includable is None and not self._is_expanded(value, step):
            raise self._impossible()
        return {**node, step: value}

    def _value(self, node: Record, step: str) -> Any:
        if step not in node:
            raise self._impossible()
        value = node[step]
        if isinstance(value, list) and step in _LISTS:
            return [self._found((_LISTS[step],), item) for item in value]
        if isinstance(value, str):
            collection = _BY_FIELD.get(step)
            return self._found((collection,) if collection else _BY_FIELD_ANY.get(step, ()), value)
        return value

    def _found(self, collections: tuple[str, ...], value: Any) -> Any:
        """The object with this id; what is an object already stays."""
        if not collections:
            raise self._impossible()
        if not isinstance(value, str):
            return value
        found = (self._tx.store.find(collection, value) for collection in collections)
        return next((record for record in found if record is not None), value)

    @staticmethod
    def _is_expanded(value: Any, step: str) -> bool:
        if value is None:
            return True
        parts = value if isinstance(value, list) and step in _LISTS else [value]
        return all(isinstance(part, Mapping) and "object" in part for part in parts)

    def _impossible(self) -> Exception:
        return invalid_request(f"This property cannot be expanded ({self._path}).", param="expand")
