"""A customer with a card, prices, and subscriptions through the SDK: what billing tests share."""

from __future__ import annotations

from typing import Any

DAY = 24 * 3600
GOOD, REFUSED = "pm_card_visa", "pm_card_chargeCustomerFail"


class BillingAccount:
    """One customer of the shop's double; `v1` is the SDK. `customer` are further parameters."""

    def __init__(self, shop: Any, card: str | None = GOOD, **customer: Any) -> None:
        self.double, self.v1 = shop.double, shop.client.v1
        self.customer = self.v1.customers.create({"email": "a@example.com", **customer}).id
        self.product = self.v1.products.create({"name": "Pro"}).id
        if card is not None:
            self.put_card(card)

    def put_card(self, card: str) -> str:
        """The customer's default card from now on."""
        method = self.v1.payment_methods.attach(card, {"customer": self.customer})
        settings = {"default_payment_method": method.id}
        self.v1.customers.update(self.customer, {"invoice_settings": settings})
        return str(method.id)

    def price(self, unit_amount: int, interval: str | None = "month") -> str:
        """A price of the product; without `interval` a one-time price."""
        params: dict[str, Any] = {
            "product": self.product,
            "currency": "usd",
            "unit_amount": unit_amount,
        }
        if interval is not None:
            params["recurring"] = {"interval": interval}
        return str(self.v1.prices.create(params).id)

    def subscribed(self, price: str, quantity: int = 1, **values: Any) -> Any:
        return self.v1.subscriptions.create(
            {
                "customer": self.customer,
                "items": [{"price": price, "quantity": quantity}],
                **values,
            }
        )

    def invoiced(self, amount: int = 5000, **values: Any) -> Any:
        """A draft made by hand with one item."""
        self.v1.invoice_items.create(
            {"customer": self.customer, "amount": amount, "currency": "usd"}
        )
        return self.v1.invoices.create(
            {
                "customer": self.customer,
                "pending_invoice_items_behavior": "include",
                **values,
            }
        )

    def invoices(self) -> list[Any]:
        """Oldest first."""
        return list(reversed(self.v1.invoices.list({"customer": self.customer, "limit": 100}).data))

    def advance(self, seconds: int) -> None:
        self.double.call(lambda control: control.advance(seconds))

    def event_types(self) -> list[str]:
        """Oldest first."""
        events = self.v1.events.list({"limit": 100}).data
        return [event.type for event in reversed(events)]

    def last_event(self, kind: str) -> Any:
        return self.v1.events.list({"type": kind, "limit": 1}).data[0]

    def balance(self) -> int:
        return int(self.v1.customers.retrieve(self.customer).balance)

    def charged(self) -> int:
        """The sum of all money taken, in minor units."""
        return sum(entry["amount"] for entry in self.double.ledger("charge", outcome="succeeded"))


def amounts(lines: Any) -> list[int]:
    """The amounts of invoice lines, in order."""
    return [line.amount for line in lines.data]
