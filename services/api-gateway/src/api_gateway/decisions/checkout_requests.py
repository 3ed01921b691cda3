"""What a checkout request asks for, in one normal form, and its fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from api_gateway.decisions.return_paths import path_error
from billing_common.domain.canonical_json import canonical_json, sha256_hex
from billing_common.domain.checkout_session import SessionFlow
from billing_common.domain.idempotency import Action

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


def decide_checkout_request(
    *, checkout_type: str | None, plan_code: str, success_path: str, cancel_path: str
) -> CheckoutRequest | dict[str, str]:
    """The request, or field errors by the names of the wire."""
    errors: dict[str, str] = {}
    if checkout_type in _ONE_OFF_WORDS:
        errors["checkoutType"] = "one-off checkouts are not offered yet"
    elif checkout_type not in (None, "", SessionFlow.SUBSCRIPTION.value):
        errors["checkoutType"] = "must be subscription"
    for name, path in (("successPath", success_path), ("cancelPath", cancel_path)):
        error = path_error(path)
        if error is not None:
            errors[name] = error
    if errors:
        return errors
    return CheckoutRequest(plan_code=plan_code, success_path=success_path, cancel_path=cancel_path)


def fingerprint(normalized: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON: equal exactly when the requests ask for the same."""
    return sha256_hex(canonical_json(normalized))
