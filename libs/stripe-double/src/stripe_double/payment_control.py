"""The part of the control plane about payments: what buyers, banks and card networks do later."""

from __future__ import annotations

from typing import Any

from stripe_double.engine.errors import invalid_request
from stripe_double.engine.records import JsonObject
from stripe_double.engine.world import World
from stripe_double.resources import (
    banks,
    disputes,
    early_fraud_warnings,
    refunds,
    settlements,
    setup_intents,
)

_REFUND_ENDINGS = {"succeeded": "succeed", "failed": "fail"}
_DISPUTE_ENDINGS = {"won": "win", "lost": "lose", "closed": "close", "escalated": "escalate"}
_BANK_FIELDS = frozenset({"authentication", "decline_code", "dispute_reason", "refunds"})


class PaymentControl:
    """A part of `ControlPlane`. Synchronous; call it in the double's event loop."""

    _world: World

    def authenticate(self, intent_id: str, *, succeeds: bool = True) -> JsonObject:
        """The buyer answers the question of a payment or setup intent that requires action."""
        with self._world.transaction() as tx:
            if intent_id.startswith("seti_"):
                setup = tx.get("setup_intent", intent_id)
                return setup_intents.authenticate(tx, setup, succeeds=succeeds)
            intent = tx.get("payment_intent", intent_id)
            return settlements.authenticate(tx, intent, succeeds=succeeds)

    def settle_payment(self, intent_id: str) -> JsonObject:
        """End a bank debit that is under way now: it succeeds or fails as its account says."""
        with self._world.transaction() as tx:
            return settlements.settle_now(tx, tx.get("payment_intent", intent_id))

    def dispute_charge(
        self,
        charge_id: str,
        *,
        reason: str = "fraudulent",
        inquiry: bool = False,
        amount: int | None = None,
    ) -> JsonObject:
        """The buyer disputes a charge at his bank, by default all that is left of it."""
        with self._world.transaction() as tx:
            charge = tx.get("charge", charge_id)
            return disputes.open_dispute(tx, charge, reason=reason, inquiry=inquiry, amount=amount)

    def end_dispute(self, dispute_id: str, *, ending: str) -> JsonObject:
        """The bank decides: `won`, `lost`; an inquiry is `closed` or `escalated`."""
        with self._world.transaction() as tx:
            action = _chosen(_DISPUTE_ENDINGS, ending)
            return disputes.move(tx, tx.get("dispute", dispute_id), action)

    def warn_of_fraud(self, charge_id: str, *, fraud_type: str = "misc") -> JsonObject:
        """The card's network warns of fraud."""
        if fraud_type not in early_fraud_warnings.FRAUD_TYPES:
            known = ", ".join(early_fraud_warnings.FRAUD_TYPES)
            raise invalid_request(f"fraud_type is one of {known}.", param="fraud_type")
        with self._world.transaction() as tx:
            charge = tx.get("charge", charge_id)
            return early_fraud_warnings.warn(tx, charge, fraud_type=fraud_type)

    def end_refund(self, refund_id: str, *, ending: str) -> JsonObject:
        """The money of a refund arrived (`succeeded`) or came back (`failed`)."""
        with self._world.transaction() as tx:
            action = _chosen(_REFUND_ENDINGS, ending)
            return refunds.move(tx, tx.get("refund", refund_id), action)

    def set_bank(self, payment_method_id: str, **values: Any) -> JsonObject:
        """What the bank does from now on: `decline_code`, `authentication` (never,
        unless_set_up, always), `refunds` (succeeded, pending, failed, requires_action),
        `dispute_reason`."""
        unknown = values.keys() - _BANK_FIELDS
        if unknown:
            raise invalid_request(
                f"A bank's behaviour is told by {', '.join(sorted(_BANK_FIELDS))}."
            )
        if values.get("refunds", "succeeded") not in refunds.BANKS:
            raise invalid_request(f"refunds is one of {', '.join(refunds.BANKS)}.")
        with self._world.transaction() as tx:
            tx.get("payment_method", payment_method_id)
            banks.change(tx, payment_method_id, **values)
            return dict(banks.behaviour_of(tx, payment_method_id))


def _chosen(endings: dict[str, str], ending: str) -> str:
    if ending not in endings:
        raise invalid_request(f"ending is one of {', '.join(endings)}.", param="ending")
    return endings[ending]


PAYMENT_ROUTES = {
    "/charges/{id}/dispute": "dispute_charge",
    "/charges/{id}/warn": "warn_of_fraud",
    "/disputes/{id}/end": "end_dispute",
    "/payment_intents/{id}/authenticate": "authenticate",
    "/payment_intents/{id}/settle": "settle_payment",
    "/payment_methods/{id}/behave": "set_bank",
    "/refunds/{id}/end": "end_refund",
    "/setup_intents/{id}/authenticate": "authenticate",
}
"""Path under `/_double` -> method, for POST."""
