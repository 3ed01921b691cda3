"""What most scenarios start from: prices, customers who can pay, bought subscriptions."""

from __future__ import annotations

from typing import Any

from tests.integration.stripe_double.conformance.in_process import Shop

DAY = 86_400


def monthly(shop: Shop, amount: int = 1200, **changes: Any) -> str:
    """A monthly price of a product of its own."""
    return str(
        shop.v1.prices.create(
            {
                "currency": "usd",
                "unit_amount": amount,
                "recurring": {"interval": "month"},
                "product_data": {"name": f"Plan at {amount}"},
                **changes,
            }
        ).id
    )


def once(shop: Shop, amount: int = 500) -> str:
    """A one-time price."""
    return str(
        shop.v1.prices.create(
            {"currency": "usd", "unit_amount": amount, "product_data": {"name": "Setup"}}
        ).id
    )


def payer(shop: Shop, card: str = "pm_card_visa", **changes: Any) -> Any:
    """A customer whose default card pays, or does what its test name says."""
    customer = shop.v1.customers.create({"email": "ada@example.com", "name": "Ada", **changes})
    method = shop.v1.payment_methods.attach(card, {"customer": customer.id})
    return shop.v1.customers.update(
        customer.id, {"invoice_settings": {"default_payment_method": method.id}}
    )


def session_params(shop: Shop, **changes: Any) -> dict[str, Any]:
    params = {
        "mode": "subscription",
        "line_items": [{"price": changes.pop("price", None) or monthly(shop), "quantity": 1}],
        "success_url": "http://shop.test/ok?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://shop.test/back",
        "customer_email": "buyer@example.com",
        **changes,
    }
    return {name: value for name, value in params.items() if value is not None}


def bought(shop: Shop, **changes: Any) -> Any:
    """A completed session, as retrieved afterwards."""
    session = shop.v1.checkout.sessions.create(session_params(shop, **changes))
    shop.control.pay(session.id)
    return shop.v1.checkout.sessions.retrieve(session.id)


def subscribed(shop: Shop, **changes: Any) -> Any:
    """A subscription created by the API for a customer who can pay."""
    customer = changes.pop("customer", None) or payer(shop).id
    items = changes.pop("items", None) or [{"price": monthly(shop)}]
    return shop.v1.subscriptions.create({"customer": customer, "items": items, **changes})


def paid_invoice(shop: Shop, amount: int = 900) -> Any:
    """A one-off invoice, finalized and paid."""
    customer = payer(shop).id
    invoice = open_invoice(shop, customer, amount)
    return shop.v1.invoices.pay(invoice.id)


def draft_invoice(shop: Shop, customer: str, amount: int = 900, **changes: Any) -> Any:
    invoice = shop.v1.invoices.create({"customer": customer, "auto_advance": False, **changes})
    shop.v1.invoice_items.create(
        {"customer": customer, "invoice": invoice.id, "amount": amount, "currency": "usd"}
    )
    return shop.v1.invoices.retrieve(invoice.id)


def open_invoice(shop: Shop, customer: str, amount: int = 900, **changes: Any) -> Any:
    return shop.v1.invoices.finalize_invoice(draft_invoice(shop, customer, amount, **changes).id)


def charged(shop: Shop, amount: int = 2000, card: str = "pm_card_visa", **changes: Any) -> Any:
    """A confirmed payment intent."""
    return shop.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "usd",
            "payment_method": card,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "confirm": True,
            **changes,
        }
    )
