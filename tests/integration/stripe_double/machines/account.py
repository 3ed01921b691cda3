"""A Stripe account under test: requests and time as a script that can be played again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from hypothesis.stateful import RuleBasedStateMachine, invariant
from tests.integration.stripe_double.conformance.in_process import Shop
from tests.integration.stripe_double.machines.legal import ANNOUNCED, UNSAID, Histories
from tests.integration.stripe_double.machines.money import Books

from stripe_double.engine.errors import ApiError

HOUR = 3600
DAY = 24 * HOUR
WAITS = (10, HOUR, 23 * HOUR, DAY, 4 * DAY, 16 * DAY, 33 * DAY)
KINDS = (
    "balance_transaction",
    "charge",
    "checkout.session",
    "credit_note",
    "customer",
    "customer_balance_transaction",
    "dispute",
    "event",
    "invoice",
    "invoice_payment",
    "invoiceitem",
    "payment_intent",
    "payment_method",
    "price",
    "product",
    "refund",
    "setup_intent",
    "subscription",
)


def form(params: Mapping[str, Any]) -> str:
    """Nested parameters with brackets."""
    return urlencode(list(_flat(params, "")))


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _flat(child, f"{name}[{key}]" if name else key)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _flat(child, f"{name}[{index}]")
    elif value is not None:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)


class Account:
    """Requests and control calls, remembered as a script."""

    def __init__(self, seed: str) -> None:
        self.shop = Shop(seed=seed)
        self.script: list[tuple[Any, ...]] = []

    def ask(self, method: str, path: str, **params: Any) -> tuple[int, Any]:
        return self._asked(method, path, form(params))

    def _asked(self, method: str, path: str, text: str) -> tuple[int, Any]:
        self.script.append(("ask", method, path, text))
        status, body = self.shop.ask(method, path, text)
        assert status in {200, 400, 402, 404}, (status, body, method, path, text)
        return status, body

    def made(self, path: str, **params: Any) -> Any:
        """The object of a POST that must succeed."""
        status, body = self.ask("POST", path, **params)
        assert status == 200, (path, params, body)
        return body

    def control(self, name: str, *arguments: Any, **named: Any) -> Any:
        """What the control plane answers; its refusals are returned, not raised."""
        self.script.append(("control", name, arguments, named))
        try:
            return getattr(self.shop.control, name)(*arguments, **named)
        except ApiError as error:
            answer = error
        assert answer.status < 500, answer
        return answer

    def objects(self, kind: str) -> list[Any]:
        return [found for found in self.shop.control.objects(kind) if not found.get("deleted")]

    def whole(self) -> str:
        """The world as text: every object and the ledger."""
        world = {kind: self.shop.control.objects(kind) for kind in KINDS}
        return json.dumps([world, self.shop.control.ledger()], sort_keys=True, default=str)

    def replayed(self, seed: str) -> str:
        """The world that the same seed and the same script make."""
        again = Account(seed)
        try:
            for kind, name, *rest in self.script:
                if kind == "ask":
                    again._asked(name, *rest)
                else:
                    again.control(name, *rest[0], **rest[1])
            return again.whole()
        finally:
            again.shop.close()


class AccountMachine(RuleBasedStateMachine):
    """What every machine checks after every step, and at the end."""

    seed = "machine"
    edges: ClassVar[set[tuple[str, str, str]]] = set()
    """Every change of status that any walk of this machine has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account(self.seed)
        self.histories = Histories()
        self._told = 0
        product = self.account.made("/v1/products", name="Pro")["id"]
        self.prices = [
            self.account.made(
                "/v1/prices",
                product=product,
                currency="usd",
                unit_amount=amount,
                recurring={"interval": "month"},
            )["id"]
            for amount in (0, 700, 1200, 5001)
        ]

    def payer(self, card: str = "pm_card_visa") -> str:
        """A new customer with a default card."""
        account = self.account
        customer = account.made("/v1/customers", email="ada@example.com")["id"]
        method = account.made(f"/v1/payment_methods/{card}/attach", customer=customer)["id"]
        account.made(
            f"/v1/customers/{customer}", invoice_settings={"default_payment_method": method}
        )
        return str(customer)

    def status_of(self, kind: str, object_id: str) -> str:
        (found,) = self.account.shop.control.objects(kind, id=object_id)
        return str(found["status"])

    def wait(self, which: int, how: int, *, flag: bool) -> None:
        self.account.control("advance", WAITS[how % len(WAITS)])

    def pick(self, kind: str, index: int, *statuses: str) -> Any:
        """One of the objects with a fitting status, or with any (one time in four); or None."""
        found = self.account.objects(kind)
        fitting = [one for one in found if one["status"] in statuses] if index % 4 else found
        return fitting[index % len(fitting)] if fitting else None

    @invariant()
    def every_history_is_legal(self) -> None:
        events = self.account.shop.control.objects("event")
        wrong = [error for event in events[self._told :] if (error := self.histories.read(event))]
        self._told = len(events)
        assert wrong == [], wrong

    @invariant()
    def nothing_changed_silently(self) -> None:
        for kind in ANNOUNCED:
            for found in self.account.objects(kind):
                told = self.histories.last.get((kind, found["id"]))
                unsaid = kind == "payment_intent" and {told, found["status"]} <= UNSAID
                assert unsaid or told == found["status"], (kind, found["id"], told, found["status"])

    @invariant()
    def money_is_conserved(self) -> None:
        wrong = list(Books(self.account.objects, self.account.shop.control.ledger()).errors())
        assert wrong == [], wrong

    def teardown(self) -> None:
        type(self).edges |= self.histories.edges
        whole = self.account.whole()
        script = list(self.account.script)
        self.account.shop.close()
        assert self.account.replayed(self.seed) == whole, script
