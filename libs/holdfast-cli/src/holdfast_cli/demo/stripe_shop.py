"""The merchant's and the buyer's side of Stripe in the demo: over HTTP, double and real alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from holdfast_cli.failures import StackFailure
from holdfast_cli.settings import STRIPE_API_VERSION

REAL_STRIPE = "https://api.stripe.com"
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Price:
    """A recurring price at Stripe."""

    id: str
    product_id: str


@dataclass(frozen=True, slots=True)
class SoldSubscription:
    """A subscription as Stripe's own books have it."""

    id: str
    status: str
    customer_id: str


class StripeShop:
    """Speaks Stripe's API with a secret key, and the hosted page as a browser does."""

    def __init__(self, *, base_url: str, secret_key: str) -> None:
        self._base_url = base_url
        self._secret_key = secret_key

    async def ensure_price(
        self, lookup_key: str, *, name: str, description: str, currency: str, unit_amount_minor: int
    ) -> Price:
        """The monthly price with this lookup key; it and its product are made once."""
        found = await self._call("GET", "/v1/prices", {"lookup_keys[]": lookup_key})
        if found["data"]:
            return Price(id=found["data"][0]["id"], product_id=found["data"][0]["product"])
        product = await self._call(
            "POST", "/v1/products", {"name": name, "description": description}
        )
        price = await self._call(
            "POST",
            "/v1/prices",
            {
                "product": product["id"],
                "currency": currency,
                "unit_amount": str(unit_amount_minor),
                "recurring[interval]": "month",
                "lookup_key": lookup_key,
            },
        )
        return Price(id=price["id"], product_id=product["id"])

    async def pay_on_hosted_page(self, checkout_url: str, *, name: str) -> None:
        """Fill in the double's page and press "pay", as a buyer does. Not for the real Stripe."""
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as browser:
            page = await browser.get(checkout_url)
            if page.status_code != 200:
                raise StackFailure(
                    f"The checkout page answered {page.status_code}.", way_out=(checkout_url,)
                )
            paid = await browser.post(
                f"{checkout_url}/pay",
                data={"card": "4242424242424242", "email": "buyer@example.com", "name": name},
            )
        if paid.status_code != 303:
            raise StackFailure(
                f"Paying on the checkout page was answered {paid.status_code}.",
                way_out=("Read the double's log: holdfast logs stripe-double",),
            )

    async def sold_subscriptions(self, checkout_url: str) -> list[SoldSubscription]:
        """Every subscription of the customer whose checkout this was, ended ones too."""
        session_id = urlsplit(checkout_url).path.rsplit("/", 1)[-1]
        session = await self._call("GET", f"/v1/checkout/sessions/{session_id}")
        listed = await self._call(
            "GET", "/v1/subscriptions", {"customer": session["customer"], "status": "all"}
        )
        return [
            SoldSubscription(id=one["id"], status=one["status"], customer_id=one["customer"])
            for one in listed["data"]
        ]

    async def _call(self, method: str, path: str, fields: dict[str, str] | None = None) -> Any:
        async with httpx.AsyncClient(
            base_url=self._base_url, timeout=_TIMEOUT_SECONDS, trust_env=False
        ) as client:
            answer = await client.request(
                method,
                path,
                params=fields if method == "GET" else None,
                data=fields if method == "POST" else None,
                headers={
                    "Authorization": f"Bearer {self._secret_key}",
                    "Stripe-Version": STRIPE_API_VERSION,
                },
            )
        body = answer.json()
        if answer.status_code != 200:
            message = body.get("error", {}).get("message", "no reason given")
            raise StackFailure(f"Stripe refused {method} {path}: {message}")
        return body
