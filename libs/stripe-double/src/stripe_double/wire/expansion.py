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
    "failure_balance_transaction": "balance_transaction",
    "latest_attempt": "setup_attempt",
    "promotion_code": "promotion_code",
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

Includable = Callable[[Transaction, Record], JsonObject]


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
        value = self._value(node, step)
        if rest and value is not None:
            value = self.follow(value, rest)
        elif not rest and not self._is_object(value) and value is not None:
            raise self._impossible()
        return {**node, step: value}

    def _value(self, node: Record, step: str) -> Any:
        includable = self._includables.get((node.get("object", ""), step))
        if includable is not None:
            return includable(self._tx, node)
        if step not in node:
            raise self._impossible()
        value = node[step]
        if isinstance(value, str):
            collection = _BY_FIELD.get(step)
            if collection is None:
                raise self._impossible()
            return self._tx.store.find(collection, value) or value
        return value

    @staticmethod
    def _is_object(value: Any) -> bool:
        return isinstance(value, Mapping) and "object" in value

    def _impossible(self) -> Exception:
        return invalid_request(f"This property cannot be expanded ({self._path}).", param="expand")
