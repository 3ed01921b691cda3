"""What a request for a payment link asks for, in one normal form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api_gateway.decisions.return_paths import path_error
from billing_common.domain.idempotency import Action
from billing_common.domain.money import CHARGE_MINOR_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """`quantity` pieces of a product of the catalogue."""

    code: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedItem:
    """`quantity` pieces at `amount_minor` each; `currency` is lower case."""

    name: str
    amount_minor: int
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLinkRequest:
    """A valid request."""

    items: tuple[Product | NamedItem, ...]
    success_path: str

    def normalized(self, billable_entity_id: int) -> dict[str, Any]:
        """The one form of equal requests: what was omitted is stated."""
        return {
            "action": Action.PAYMENT_LINK.value,
            "billableEntityId": billable_entity_id,
            "lineItems": [_normal_item(item) for item in self.items],
            "successPath": self.success_path,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """One line as it was sent, each field valid by itself."""

    product_code: str | None
    name: str | None
    amount_minor: int | None
    currency: str | None
    quantity: int


def decide_payment_link_request(
    *, lines: Sequence[Asked], success_path: str, currency: str
) -> PaymentLinkRequest | dict[str, str]:
    """The request, or field errors by the names of the wire. `currency`: the deployment's."""
    errors: dict[str, str] = {}
    items: list[Product | NamedItem] = []
    for number, line in enumerate(lines):
        item = _decide_item(line, currency)
        if isinstance(item, dict):
            errors |= {f"lineItems[{number}].{field}": text for field, text in item.items()}
        else:
            items.append(item)
    error = path_error(success_path)
    if error is not None:
        errors["successPath"] = error
    # What products cost is known to checkout only.
    named = [item for item in items if isinstance(item, NamedItem)]
    if sum(item.amount_minor * item.quantity for item in named) > CHARGE_MINOR_MAX:
        errors["lineItems"] = f"together they must be at most {CHARGE_MINOR_MAX}"
    if errors:
        return errors
    return PaymentLinkRequest(items=tuple(items), success_path=success_path)


def _decide_item(line: Asked, currency: str) -> Product | NamedItem | dict[str, str]:
    if line.product_code is not None:
        mixed = [
            field
            for field, value in (
                ("name", line.name),
                ("amountMinor", line.amount_minor),
                ("currency", line.currency),
            )
            if value is not None
        ]
        if mixed:
            return dict.fromkeys(mixed, "a product has its own; send one or the other")
        return Product(code=line.product_code, quantity=line.quantity)
    if line.name is None or line.amount_minor is None:
        missing = {"name": line.name, "amountMinor": line.amount_minor}
        return {
            field: "required for an item that is no product"
            for field, value in missing.items()
            if value is None
        }
    asked_currency = (line.currency or currency).lower()
    if asked_currency != currency:
        return {"currency": f"only {currency} is sold here"}
    return NamedItem(
        name=line.name,
        amount_minor=line.amount_minor,
        currency=asked_currency,
        quantity=line.quantity,
    )


def _normal_item(item: Product | NamedItem) -> dict[str, Any]:
    if isinstance(item, Product):
        return {"productCode": item.code, "quantity": item.quantity}
    return {
        "name": item.name,
        "amountMinor": item.amount_minor,
        "currency": item.currency,
        "quantity": item.quantity,
    }
