"""Nobody can bring the double into a state that Stripe does not have, nor make or lose money in it.

Random walks through the in-process double; the tables and sums they are held against are written
in `machines/`, independent of the double's own. HOLDFAST_DOUBLE_WALKS sets the number of walks per
machine (default 15), HOLDFAST_DOUBLE_STEPS their length (default 25), and with
HOLDFAST_DOUBLE_SHRINK=1 a walk that fails is shortened.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import initialize, run_state_machine_as_test
from tests.integration.stripe_double.machines.account import AccountMachine
from tests.integration.stripe_double.machines.steps import AMOUNTS, CARDS, LIVING, one_of, steps

from stripe_double.engine.errors import ApiError

WALKS = int(os.environ.get("HOLDFAST_DOUBLE_WALKS", "15"))
STEPS = int(os.environ.get("HOLDFAST_DOUBLE_STEPS", "25"))
# Shrinking takes minutes and a walk is short: it is done on request, with the walk found.
PHASES = [Phase.generate] + [Phase.shrink] * ("HOLDFAST_DOUBLE_SHRINK" in os.environ)
SETTINGS = settings(
    max_examples=WALKS,
    stateful_step_count=STEPS,
    deadline=None,
    phases=PHASES,
    derandomize="HOLDFAST_DOUBLE_WALKS" not in os.environ,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


class SessionMachine(AccountMachine):
    """Checkout Sessions: created, paid, refused, abandoned, expired by time."""

    seed = "sessions"

    @steps("create", "create", "pay", "pay", "expire", "abandon", "wait")
    def step(self, action: str, which: int, how: int, *, flag: bool) -> None:
        getattr(self, action)(which, how, flag=flag)

    def create(self, which: int, how: int, *, flag: bool) -> None:
        mode = one_of(["subscription", "payment", "trial"], which)
        line: dict[str, Any] = {"price": one_of(self.prices, how), "quantity": 1 + how % 3}
        params: dict[str, Any] = {"mode": "subscription", "success_url": "http://shop.test/ok"}
        if mode == "payment":
            params["mode"] = mode
            data = {"currency": "usd", "unit_amount": 900, "product_data": {"name": "Book"}}
            line = {"price_data": data, "quantity": 1 + how % 3}
        if mode == "trial":
            params["subscription_data"] = {"trial_period_days": 2}
        if flag:
            params["customer"] = self.account.made("/v1/customers", email="a@example.com")["id"]
        else:
            params["customer_email"] = "b@example.com"
        made = self.account.made("/v1/checkout/sessions", line_items=[line], **params)
        assert (made["status"], made["subscription"], made["invoice"]) == ("open", None, None)

    def pay(self, which: int, how: int, *, flag: bool) -> None:
        if session := self.pick("checkout.session", which, "open"):
            had = len(self.account.objects("subscription"))
            card = one_of(CARDS, 0 if flag else how)
            answer = self.account.control("pay", session["id"], card=card)
            after = self.status_of("checkout.session", session["id"])
            if isinstance(answer, ApiError):
                assert after in {session["status"], "expired"}
                assert len(self.account.objects("subscription")) == had
            else:
                assert (session["status"], after) == ("open", "complete")

    def expire(self, which: int, how: int, *, flag: bool) -> None:
        if session := self.pick("checkout.session", which, "open"):
            status, _ = self.account.ask("POST", f"/v1/checkout/sessions/{session['id']}/expire")
            assert (status == 200) == (session["status"] == "open")

    def abandon(self, which: int, how: int, *, flag: bool) -> None:
        if session := self.pick("checkout.session", which, "open"):
            answer = self.account.control("abandon", session["id"])
            assert isinstance(answer, ApiError) == (session["status"] != "open")


class SubscriptionMachine(AccountMachine):
    """Subscriptions: created, changed, refused, paused, resumed, canceled, and time."""

    seed = "subscriptions"

    @initialize()
    def customers(self) -> None:
        self.payers = [self.payer(), self.payer("pm_card_chargeCustomerFail")]
        self.payers.append(str(self.account.made("/v1/customers", email="x@example.com")["id"]))

    @steps(
        "create", "change", "add_item", "cancel_later", "pause_collection", "end_trial", "pause",
        "resume", "cancel", "renew", "bank", "collect", "credit", "refund", "wait", "wait",
    )  # fmt: skip
    def step(self, action: str, which: int, how: int, *, flag: bool) -> None:
        getattr(self, action)(which, how, flag=flag)

    def create(self, which: int, how: int, *, flag: bool) -> None:
        params: dict[str, Any] = {}
        if flag:
            params["trial_period_days"] = 3
            end = one_of(["pause", "cancel", "create_invoice"], how)
            params["trial_settings"] = {"end_behavior": {"missing_payment_method": end}}
        ways = ["allow_incomplete", "default_incomplete", "error_if_incomplete"]
        if how % 7 == 6:
            params |= {"collection_method": "send_invoice", "days_until_due": 5}
        else:
            params["payment_behavior"] = one_of(ways, how)
        self.account.ask(
            "POST",
            "/v1/subscriptions",
            customer=one_of(self.payers, which),
            items=[{"price": one_of(self.prices, how), "quantity": 1 + which % 2}],
            **params,
        )

    def _some(self, which: int) -> Any:
        return self.pick("subscription", which, *LIVING)

    def _update(self, which: int, **params: Any) -> None:
        if found := self._some(which):
            status, _ = self.account.ask("POST", f"/v1/subscriptions/{found['id']}", **params)
            if found["status"] in {"canceled", "incomplete_expired"}:
                assert status == 400 or not params.keys() - {"metadata", "cancellation_details"}

    def change(self, which: int, how: int, *, flag: bool) -> None:
        if found := self._some(which):
            item = {
                "id": found["items"]["data"][0]["id"],
                "price": one_of(self.prices, how),
                "quantity": 1 + how % 3,
            }
            way = one_of(["create_prorations", "always_invoice", "none"], how // 4)
            behavior = {"payment_behavior": "pending_if_incomplete"} if flag else {}
            self.account.ask(
                "POST",
                f"/v1/subscriptions/{found['id']}",
                items=[item],
                proration_behavior=way,
                **behavior,
            )

    def add_item(self, which: int, how: int, *, flag: bool) -> None:
        if found := self._some(which):
            self.account.ask(
                "POST",
                "/v1/subscription_items",
                subscription=found["id"],
                price=one_of(self.prices, how),
            )

    def cancel_later(self, which: int, how: int, *, flag: bool) -> None:
        self._update(which, cancel_at_period_end=flag)

    def pause_collection(self, which: int, how: int, *, flag: bool) -> None:
        behavior = one_of(["void", "keep_as_draft", "mark_uncollectible"], how)
        self._update(which, pause_collection={"behavior": behavior} if flag else "")

    def end_trial(self, which: int, how: int, *, flag: bool) -> None:
        self._update(which, trial_end="now")

    def pause(self, which: int, how: int, *, flag: bool) -> None:
        if found := self._some(which):
            self.account.ask("POST", f"/v1/subscriptions/{found['id']}/pause", type="subscription")

    def resume(self, which: int, how: int, *, flag: bool) -> None:
        if found := self.pick("subscription", which, "paused"):
            status, _ = self.account.ask("POST", f"/v1/subscriptions/{found['id']}/resume")
            if found["status"] != "paused":
                assert status == 400

    def cancel(self, which: int, how: int, *, flag: bool) -> None:
        if found := self._some(which):
            status, _ = self.account.ask(
                "DELETE",
                f"/v1/subscriptions/{found['id']}",
                invoice_now=flag,
                prorate=bool(how % 2),
            )
            ended = found["status"] in {"canceled", "incomplete_expired"}
            assert (status == 200) != ended

    def renew(self, which: int, how: int, *, flag: bool) -> None:
        if found := self._some(which):
            code = "generic_decline" if flag else None
            self.account.control("renew", found["id"], decline_code=code)

    def bank(self, which: int, how: int, *, flag: bool) -> None:
        if method := self.pick("payment_method", 4 * which):
            code = "insufficient_funds" if flag else None
            self.account.control("change_bank", method["id"], decline_code=code)

    def collect(self, which: int, how: int, *, flag: bool) -> None:
        if invoice := self.pick("invoice", which, "open"):
            code = "generic_decline" if flag else None
            self.account.control("collect", invoice["id"], decline_code=code)

    def credit(self, which: int, how: int, *, flag: bool) -> None:
        if (invoice := self.pick("invoice", which, "open", "paid")) and invoice["total"] > 0:
            amount = max(1, invoice["total"] // (1 + how % 3))
            way = {"credit_amount": amount} if invoice["status"] == "paid" else {}
            self.account.ask(
                "POST", "/v1/credit_notes", invoice=invoice["id"], amount=amount, **way
            )

    def refund(self, which: int, how: int, *, flag: bool) -> None:
        if intent := self.pick("payment_intent", which, "succeeded"):
            amount = None if flag else max(1, intent["amount"] // (1 + how % 3))
            self.account.ask("POST", "/v1/refunds", payment_intent=intent["id"], amount=amount)


class InvoiceMachine(AccountMachine):
    """Invoices by hand: lines, finalizing, paying, voiding, writing off, credit notes, credit."""

    seed = "invoices"

    @initialize()
    def customers(self) -> None:
        self.payers = [self.payer(), self.payer("pm_card_chargeCustomerFail")]

    @steps(
        "create", "create", "add_line", "finalize", "finalize", "pay", "void", "write_off",
        "delete", "credit", "credit", "void_note", "give_credit", "wait",
    )  # fmt: skip
    def step(self, action: str, which: int, how: int, *, flag: bool) -> None:
        getattr(self, action)(which, how, flag=flag)

    def create(self, which: int, how: int, *, flag: bool) -> None:
        sent = {"collection_method": "send_invoice", "days_until_due": 3} if which % 3 == 2 else {}
        made = self.account.made(
            "/v1/invoices", customer=one_of(self.payers, which), auto_advance=flag, **sent
        )
        for amount in [(), (700,), (1201, -300), (-5000, 99), (5001,), (1,)][how % 6]:
            assert self._add_line(made, amount) == 200

    def _add_line(self, invoice: Any, amount: int) -> int:
        status, _ = self.account.ask(
            "POST",
            "/v1/invoiceitems",
            customer=invoice["customer"],
            invoice=invoice["id"],
            amount=amount,
            currency="usd",
        )
        return status

    def _move(self, invoice: Any, action: str, **params: Any) -> int:
        status, _ = self.account.ask("POST", f"/v1/invoices/{invoice['id']}/{action}", **params)
        return status

    def add_line(self, which: int, how: int, *, flag: bool) -> None:
        if invoice := self.pick("invoice", which, "draft"):
            status = self._add_line(invoice, one_of(AMOUNTS, how))
            assert (status == 200) == (invoice["status"] == "draft")

    def finalize(self, which: int, how: int, *, flag: bool) -> None:
        if invoice := self.pick("invoice", which, "draft"):
            assert (self._move(invoice, "finalize") == 200) == (invoice["status"] == "draft")

    def pay(self, which: int, how: int, *, flag: bool) -> None:
        if invoice := self.pick("invoice", which, "open", "uncollectible"):
            status = self._move(invoice, "pay", **({"paid_out_of_band": True} if flag else {}))
            if flag and invoice["status"] in {"open", "uncollectible"}:
                assert status == 200
            if invoice["status"] in {"paid", "void"}:
                assert status == 400

    def void(self, which: int, how: int, *, flag: bool) -> None:
        if invoice := self.pick("invoice", which, "open", "uncollectible"):
            status = self._move(invoice, "void")
            if invoice["status"] in {"draft", "paid", "void"}:
                assert status == 400

    def write_off(self, which: int, how: int, *, flag: bool) -> None:
        if invoice := self.pick("invoice", which, "open"):
            status = self._move(invoice, "mark_uncollectible")
            assert (status == 200) == (invoice["status"] == "open")

    def delete(self, which: int, how: int, *, flag: bool) -> None:
        if how % 3 == 0 and (invoice := self.pick("invoice", which, "draft")):
            status, _ = self.account.ask("DELETE", f"/v1/invoices/{invoice['id']}")
            assert (status == 200) == (invoice["status"] == "draft")

    def credit(self, which: int, how: int, *, flag: bool) -> None:
        if invoice := self.pick("invoice", which, "open", "paid"):
            part = one_of([1, 20, 50, 100, 101], how)
            amount = max(1, invoice["total"] * part // 100)
            ways = ["credit_amount", "refund_amount", "out_of_band_amount"]
            way = {one_of(ways, how // 5): amount} if invoice["status"] == "paid" else {}
            status, _ = self.account.ask(
                "POST", "/v1/credit_notes", invoice=invoice["id"], amount=amount, **way
            )
            if invoice["status"] in {"draft", "void"} or amount > max(
                invoice["total"], invoice["amount_due"]
            ):
                assert status == 400

    def void_note(self, which: int, how: int, *, flag: bool) -> None:
        if note := self.pick("credit_note", which, "issued"):
            status, _ = self.account.ask("POST", f"/v1/credit_notes/{note['id']}/void")
            if note["status"] == "void":
                assert status == 400

    def give_credit(self, which: int, how: int, *, flag: bool) -> None:
        self.account.made(
            f"/v1/customers/{one_of(self.payers, which)}/balance_transactions",
            amount=one_of([-2000, -150, 400], how),
            currency="usd",
        )


class PaymentMachine(AccountMachine):
    """Payments: held, captured, canceled, refunded in parts, failing refunds, disputes."""

    seed = "payments"

    @initialize()
    def disputed(self) -> None:
        for card in ("createDispute", "createDispute", "createDisputeInquiry", "refundFail"):
            self._new(f"pm_card_{card}", 3, manual=False, confirm=True)

    @steps(
        "create", "create", "debit", "confirm", "capture", "cancel", "refund", "refund",
        "answer", "escalate", "accept", "wait",
    )  # fmt: skip
    def step(self, action: str, which: int, how: int, *, flag: bool) -> None:
        getattr(self, action)(which, how, flag=flag)

    def create(self, which: int, how: int, *, flag: bool) -> None:
        cards = [
            "visa",
            "chargeDeclined",
            "createDispute",
            "createDisputeInquiry",
            "refundFail",
            "pendingRefund",
            "authenticationRequired",
            "createIssuerFraudRecord",
        ]
        self._new(f"pm_card_{one_of(cards, which)}", how, manual=flag, confirm=how % 5 > 0)

    def debit(self, which: int, how: int, *, flag: bool) -> None:
        method = self.account.made(
            "/v1/payment_methods",
            type="us_bank_account",
            us_bank_account={
                "account_number": "000123456789" if flag else "000111111116",
                "routing_number": "110000000",
                "account_holder_type": "individual",
            },
            billing_details={"name": "Ada", "email": "ada@example.com"},
        )
        self._new(method["id"], how, manual=False, confirm=True)

    def _new(self, method: str, how: int, *, manual: bool, confirm: bool) -> None:
        self.account.ask(
            "POST",
            "/v1/payment_intents",
            amount=one_of(AMOUNTS, how),
            currency="usd",
            payment_method=method,
            capture_method="manual" if manual else "automatic",
            confirm=confirm,
            automatic_payment_methods={"enabled": True, "allow_redirects": "never"},
        )

    def _move(self, intent: Any, action: str, **params: Any) -> int:
        status, _ = self.account.ask(
            "POST", f"/v1/payment_intents/{intent['id']}/{action}", **params
        )
        return status

    def confirm(self, which: int, how: int, *, flag: bool) -> None:
        waiting = ("requires_payment_method", "requires_confirmation", "requires_action")
        if intent := self.pick("payment_intent", which, *waiting):
            card = one_of(["visa", "chargeDeclined", "createDispute"], how)
            self._move(intent, "confirm", payment_method=f"pm_card_{card}")

    def capture(self, which: int, how: int, *, flag: bool) -> None:
        if intent := self.pick("payment_intent", which, "requires_capture"):
            amount = None if flag else max(1, intent["amount"] * one_of([1, 50, 101], how) // 100)
            status = self._move(intent, "capture", amount_to_capture=amount)
            if intent["status"] != "requires_capture" or (amount or 0) > intent["amount"]:
                assert status == 400

    def cancel(self, which: int, how: int, *, flag: bool) -> None:
        if intent := self.pick("payment_intent", which, "requires_capture", "requires_action"):
            status = self._move(intent, "cancel")
            if intent["status"] in {"succeeded", "canceled"}:
                assert status == 400

    def refund(self, which: int, how: int, *, flag: bool) -> None:
        if intent := self.pick("payment_intent", which, "succeeded"):
            parts = [1, 40, 60, 101]
            amount = None if flag else max(1, intent["amount"] * one_of(parts, how) // 100)
            self.account.ask("POST", "/v1/refunds", payment_intent=intent["id"], amount=amount)

    def _evidence(self, which: int, text: str) -> None:
        if dispute := self.pick("dispute", which, "needs_response", "warning_needs_response"):
            status, _ = self.account.ask(
                "POST", f"/v1/disputes/{dispute['id']}", evidence={"uncategorized_text": text}
            )
            if dispute["status"] in {"won", "lost", "warning_closed"}:
                assert status == 400

    def answer(self, which: int, how: int, *, flag: bool) -> None:
        self._evidence(which, one_of(["winning_evidence", "losing_evidence", "a letter"], how))

    def escalate(self, which: int, how: int, *, flag: bool) -> None:
        self._evidence(which, "escalate_inquiry_evidence")

    def accept(self, which: int, how: int, *, flag: bool) -> None:
        if how % 3 == 0 and (dispute := self.pick("dispute", which, "needs_response")):
            status, _ = self.account.ask("POST", f"/v1/disputes/{dispute['id']}/close")
            if dispute["status"] in {"won", "lost", "warning_closed"}:
                assert status == 400


@pytest.mark.parametrize(
    "machine",
    [SessionMachine, SubscriptionMachine, InvoiceMachine, PaymentMachine],
    ids=lambda machine: machine.seed,
)
def test_no_walk_leaves_the_legal_states_or_loses_money(machine: type[AccountMachine]) -> None:
    machine.edges = set()
    run_state_machine_as_test(machine, settings=SETTINGS)
