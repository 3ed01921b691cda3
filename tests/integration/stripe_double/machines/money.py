"""Money is neither made nor lost: sums that must hold after every step, from what the API shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

Object = Any
_MEETS_INVOICE = {"applied_to_invoice", "unapplied_from_invoice"}


class Books:
    """Everything about money that a world shows, read at one moment."""

    def __init__(self, objects: Any, ledger: list[Object]) -> None:
        """`objects(collection)` lists all objects of a kind; `ledger` is all of it."""
        self.asked = [entry for entry in ledger if entry["kind"] == "charge"]
        self.invoices = list(objects("invoice"))
        self.charges = list(objects("charge"))
        self.intents = list(objects("payment_intent"))
        self.refunds = list(objects("refund"))
        self.disputes = list(objects("dispute"))
        self.notes = list(objects("credit_note"))
        self.payments = list(objects("invoice_payment"))
        self.movements = list(objects("balance_transaction"))
        self.customers = list(objects("customer"))
        self.credits = list(objects("customer_balance_transaction"))

    def errors(self) -> Iterator[str]:
        yield from self._invoice_errors()
        yield from self._charge_errors()
        yield from self._intent_errors()
        yield from self._balance_errors()
        yield from self._credit_errors()
        yield from self._ledger_errors()

    def _ledger_errors(self) -> Iterator[str]:
        """The oracle and the objects tell the same story: no money without a note of it."""
        noted = sorted(
            (entry["charge"], entry["amount"], entry["currency"])
            for entry in self.asked
            if entry["outcome"] == "succeeded"
        )
        taken = sorted(
            (charge["id"], charge["amount"], charge["currency"])
            for charge in self.charges
            if charge["status"] == "succeeded"
        )
        if noted != taken:
            yield f"the ledger notes {noted}, the charges are {taken}"

    def _invoice_errors(self) -> Iterator[str]:
        for invoice in self.invoices:
            if invoice.get("deleted"):
                continue
            here = f"{invoice['id']} ({invoice['status']})"
            lines = invoice["lines"]["data"]
            discounts = sum(d["amount"] for d in invoice["total_discount_amounts"] or ())
            if invoice["subtotal"] != sum(line["amount"] for line in lines):
                yield f"{here}: subtotal is not the sum of its lines"
            if invoice["total"] != invoice["subtotal"] - discounts:
                yield f"{here}: total is not subtotal less discounts"
            notes = [
                n for n in self.notes if n["invoice"] == invoice["id"] and n["status"] == "issued"
            ]
            before_payment = sum(n["pre_payment_amount"] for n in notes)
            after_payment = sum(n["post_payment_amount"] for n in notes)
            if invoice["pre_payment_credit_notes_amount"] != before_payment:
                yield f"{here}: credit notes before payment do not add up"
            if invoice["post_payment_credit_notes_amount"] != after_payment:
                yield f"{here}: credit notes after payment do not add up"
            if after_payment > invoice["amount_paid"]:
                yield f"{here}: more is credited than was paid"
            ending = invoice["ending_balance"]
            applied = 0 if ending is None else ending - invoice["starting_balance"]
            wanted = max(0, invoice["total"] - applied) - before_payment
            if invoice["amount_paid"] + invoice["amount_remaining"] != wanted:
                yield (
                    f"{here}: paid {invoice['amount_paid']} and remaining "
                    f"{invoice['amount_remaining']} are not {wanted}"
                )
            if min(invoice["amount_paid"], invoice["amount_remaining"]) < 0:
                yield f"{here}: a negative amount"
            if invoice["status"] == "paid" and invoice["amount_remaining"]:
                yield f"{here}: paid, and something remains"
            paid = sum(
                p["amount_paid"] or 0
                for p in self.payments
                if p["invoice"] == invoice["id"] and p["status"] == "paid"
            )
            if paid != invoice["amount_paid"] - (invoice["amount_paid_off_stripe"] or 0):
                yield f"{here}: its payments are {paid}, not {invoice['amount_paid']}"

    def _charge_errors(self) -> Iterator[str]:
        for charge in self.charges:
            given_back = sum(
                r["amount"]
                for r in self.refunds
                if r["charge"] == charge["id"] and r["status"] not in {"failed", "canceled"}
            )
            # What was authorized and not captured is shown as refunded once it is let go.
            let_go = charge["captured"] or charge["refunded"]
            released = charge["amount"] - charge["amount_captured"] if let_go else 0
            if charge["status"] == "failed":
                released = 0
            if charge["amount_refunded"] != given_back + released:
                yield f"{charge['id']}: refunded {charge['amount_refunded']}, refunds {given_back}"
            if not 0 <= given_back <= charge["amount_captured"] <= charge["amount"]:
                yield f"{charge['id']}: refunds, capture and amount are out of order"
            if charge["refunded"] != (charge["amount_refunded"] == charge["amount"]):
                yield f"{charge['id']}: refunded is {charge['refunded']}"
            if charge["amount_captured"] and charge["status"] == "failed":
                yield f"{charge['id']}: failed and captured"

    def _intent_errors(self) -> Iterator[str]:
        for intent in self.intents:
            got = sum(
                c["amount_captured"]
                for c in self.charges
                if c["payment_intent"] == intent["id"] and c["status"] == "succeeded"
            )
            if got > intent["amount"]:
                yield f"{intent['id']}: {got} was taken of {intent['amount']}"
            if intent["status"] == "succeeded" and got != intent["amount_received"]:
                yield f"{intent['id']}: received {intent['amount_received']}, taken {got}"
            if intent["status"] != "succeeded" and intent["amount_received"]:
                yield f"{intent['id']}: received money while {intent['status']}"

    def _balance_errors(self) -> Iterator[str]:
        """Captured charges less refunds less disputes not won are the account's movements."""
        expected: dict[str, int] = defaultdict(int)
        for charge in self.charges:
            if charge["status"] == "succeeded":
                expected[charge["currency"]] += charge["amount_captured"]
        for refund in self.refunds:
            if refund["status"] not in {"failed", "canceled"}:
                expected[refund["currency"]] -= refund["amount"]
        for dispute in self.disputes:
            if not dispute["status"].startswith("warning") and dispute["status"] != "won":
                expected[dispute["currency"]] -= dispute["amount"]
        moved: dict[str, int] = defaultdict(int)
        for movement in self.movements:
            moved[movement["currency"]] += movement["amount"]
            if movement["net"] != movement["amount"] - movement["fee"]:
                yield f"{movement['id']}: net is not amount less fee"
        for currency in expected.keys() | moved.keys():
            if expected[currency] != moved[currency]:
                yield f"{currency}: moved {moved[currency]}, expected {expected[currency]}"

    def _credit_errors(self) -> Iterator[str]:
        for customer in self.customers:
            if customer.get("deleted"):
                continue
            running = 0
            for credit in self.credits:
                if credit["customer"] == customer["id"]:
                    running += credit["amount"]
                    if credit["ending_balance"] != running:
                        yield f"{credit['id']}: ends at {credit['ending_balance']}, not {running}"
            if customer["balance"] != running:
                yield f"{customer['id']}: balance {customer['balance']}, noted {running}"
        for invoice in self.invoices:
            met = sum(
                credit["amount"]
                for credit in self.credits
                if credit["invoice"] == invoice["id"] and credit["type"] in _MEETS_INVOICE
            )
            ending = invoice["ending_balance"]
            applied = 0 if ending is None else ending - invoice["starting_balance"]
            if met != (0 if invoice["status"] == "void" else applied):
                yield f"{invoice['id']} ({invoice['status']}): {met} of the balance, not {applied}"
