"""What a checkout request asks for, in one normal form, and its fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from api_gateway.decisions.return_paths import path_error
from billing_common.domain.canonical_json import canonical_json, sha256_hex
from billing_common.domain.checkout_session import SessionFlow
from billing_common.domain.idempotency import Action
from billing_common.domain.money import CHARGE_MINOR_MAX

_ONE_OFF_WORDS: Final = frozenset({"one_off", "one-off", "oneoff", "payment"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutRequest:
    """A valid request for one subscription checkout."""

    plan_code: str
    success_path: str
    cancel_path: str

    def normalized(self, billable_entity_id: int) -> dict[str, Any]:
        """The one form of equal requests: what was omitted is stated."""
        return {
            "action": Action.CHECKOUT.value,
            "billableEntityId": billable_entity_id,
            "checkoutType": SessionFlow.SUBSCRIPTION.value,
            "planCode": self.plan_code,
            "successPath": self.success_path,
            "cancelPath": self.cancel_path,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOffItem:
    """`quantity` pieces of something that is in no catalogue, at `amount_minor` (minor units of
    `currency`, lower case) each."""

    name: str
    amount_minor: int
    quantity: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOffCheckoutRequest:
    """A valid request for one payment of one thing."""

    item: OneOffItem
    success_path: str
    cancel_path: str

    def normalized(self, billable_entity_id: int) -> dict[str, Any]:
        """The one form of equal requests: what was omitted is stated."""
        return {
            "action": Action.CHECKOUT.value,
            "billableEntityId": billable_entity_id,
            "checkoutType": SessionFlow.ONE_OFF.value,
            "oneOff": {
                "name": self.item.name,
                "amountMinor": self.item.amount_minor,
                "quantity": self.item.quantity,
                "currency": self.item.currency,
            },
            "successPath": self.success_path,
            "cancelPath": self.cancel_path,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCheckout:
    """A body as it was sent, each field valid by itself."""

    checkout_type: str | None
    plan_code: str | None
    one_off: OneOffItem | None
    success_path: str
    cancel_path: str


def decide_checkout_request(
    asked: AskedCheckout, *, currency: str
) -> CheckoutRequest | OneOffCheckoutRequest | dict[str, str]:
    """The request, or field errors by the names of the wire. `currency`: the deployment's."""
    errors: dict[str, str] = {}
    is_one_off = asked.checkout_type in _ONE_OFF_WORDS
    if not is_one_off and asked.checkout_type not in (None, "", SessionFlow.SUBSCRIPTION.value):
        errors["checkoutType"] = "must be subscription or one_off"
    for name, path in (("successPath", asked.success_path), ("cancelPath", asked.cancel_path)):
        error = path_error(path)
        if error is not None:
            errors[name] = error
    errors |= _one_off_errors(asked, currency) if is_one_off else _subscription_errors(asked)
    if errors:
        return errors
    if is_one_off and asked.one_off is not None:
        return OneOffCheckoutRequest(
            item=asked.one_off, success_path=asked.success_path, cancel_path=asked.cancel_path
        )
    return CheckoutRequest(
        plan_code=asked.plan_code or "",
        success_path=asked.success_path,
        cancel_path=asked.cancel_path,
    )


def _one_off_errors(asked: AskedCheckout, currency: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    if asked.plan_code is not None:
        errors["planCode"] = "a one-off checkout sells no plan"
    if asked.one_off is None:
        errors["oneOff"] = "required for a one-off checkout"
    elif asked.one_off.currency != currency:
        errors["oneOff.currency"] = f"only {currency} is sold here"
    elif asked.one_off.amount_minor * asked.one_off.quantity > CHARGE_MINOR_MAX:
        errors["oneOff.amountMinor"] = f"times quantity it must be at most {CHARGE_MINOR_MAX}"
    return errors


def _subscription_errors(asked: AskedCheckout) -> dict[str, str]:
    errors: dict[str, str] = {}
    if asked.plan_code is None:
        errors["planCode"] = "required for a subscription"
    if asked.one_off is not None:
        errors["oneOff"] = "say checkoutType one_off to sell a single thing"
    return errors


def fingerprint(normalized: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON: equal exactly when the requests ask for the same."""
    return sha256_hex(canonical_json(normalized))
