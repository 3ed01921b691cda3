"""Discounts: a coupon given to a subscription, an invoice or a Checkout Session.

`chosen` reads a `discounts` parameter, `give` makes the discount and counts the redemption,
`running` tells which still apply. `invoice_discounts` puts them on the lines of an invoice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stripe_double.engine.errors import invalid_request, parameter_invalid
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import coupons, promotion_codes
from stripe_double.resources.periods import period_end

MAX_DISCOUNTS = 20
_USED = "discount.used"


@dataclass(frozen=True, slots=True)
class Choice:
    """A coupon that was chosen, and the promotion code it came by, if any."""

    coupon: Record
    promotion_code: Record | None = None


def chosen(
    tx: Transaction,
    given: Sequence[Record] | str | None,
    *,
    customer: str | None,
    amount: int,
    currency: str,
    param: str = "discounts",
) -> list[Choice]:
    """The coupons that a `discounts` parameter names, each checked against this purchase of
    `amount` minor units; ApiError 400 when one is unknown, run out, or does not suit."""
    if not given or isinstance(given, str):
        return []
    if len(given) > MAX_DISCOUNTS:
        raise invalid_request(f"You can pass at most {MAX_DISCOUNTS} discounts.", param=param)
    return [
        _choice(tx, entry, f"{param}[{index}]", customer=customer, amount=amount, currency=currency)
        for index, entry in enumerate(given)
    ]


def _choice(
    tx: Transaction, entry: Record, name: str, *, customer: str | None, amount: int, currency: str
) -> Choice:
    code_id, coupon_id = entry.get("promotion_code"), entry.get("coupon")
    if bool(code_id) == bool(coupon_id):
        raise invalid_request("Each discount names one of: coupon, promotion_code.", param=name)
    if code_id:
        code = tx.get("promotion_code", code_id, param=f"{name}[promotion_code]")
        return by_code(tx, code, customer=customer, amount=amount, currency=currency)
    coupon = tx.get("coupon", str(coupon_id), param=f"{name}[coupon]")
    return Choice(_checked(tx, coupon, currency, f"{name}[coupon]"))


def by_code(
    tx: Transaction, code: Record, *, customer: str | None, amount: int, currency: str
) -> Choice:
    """The coupon of a promotion code, checked against this purchase."""
    promotion_codes.check_redeemable(tx, code, customer=customer, amount=amount, currency=currency)
    coupon = promotion_codes.coupon_of(tx, code)
    return Choice(_checked(tx, coupon, currency, "promotion_code"), code)


def _checked(tx: Transaction, coupon: Record, currency: str, param: str) -> Record:
    if not coupons.is_valid(tx, coupon):
        raise parameter_invalid(param, f"Coupon expired: {coupon['id']}", "coupon_expired")
    if coupon["currency"] not in (None, currency):
        raise parameter_invalid(
            param,
            f"The coupon's currency is {coupon['currency']}, the purchase's is {currency}.",
        )
    return coupon


def give(
    tx: Transaction,
    choice: Choice,
    *,
    customer: str | None,
    subscription: str | None = None,
    invoice: str | None = None,
    session: str | None = None,
) -> JsonObject:
    """Make the discount and count the redemption; announced when a subscription gets it."""
    coupon = coupons.redeem(tx, choice.coupon)
    code = choice.promotion_code
    if code is not None:
        promotion_codes.redeem(tx, code)
    discount = tx.put(
        {
            "id": tx.new_id("discount"),
            "object": "discount",
            "checkout_session": session,
            "customer": customer,
            "customer_account": None,
            "end": _end(tx.now, coupon),
            "invoice": invoice,
            "invoice_item": None,
            "promotion_code": None if code is None else code["id"],
            "source": {"coupon": coupon["id"], "type": "coupon"},
            "start": tx.now,
            "subscription": subscription,
            "subscription_item": None,
        }
    )
    if subscription is not None:
        tx.emit("customer.discount.created", discount)
    return discount


def take_back(tx: Transaction, discount: Record) -> None:
    """The discount ends: it ran out, or was removed."""
    tx.put({**discount, "deleted": True})
    if discount["subscription"] is not None:
        tx.emit("customer.discount.deleted", discount)


def coupon_of(tx: Transaction, discount: Record) -> Record:
    """The coupon of a discount; a deleted coupon goes on working for those who have it."""
    return tx.store.find("coupon", discount["source"]["coupon"]) or {}


def running(tx: Transaction, discount_ids: Iterable[str], *, at: int) -> list[Record]:
    """Those of the discounts that apply to a period that starts at `at`, in order.

    One whose coupon is for `once` applies to one invoice only, see `note_use`.
    """
    found = (tx.find("discount", discount_id) for discount_id in discount_ids)
    return [
        discount
        for discount in found
        if discount is not None
        and (discount["end"] is None or at < discount["end"])
        and tx.store.find(_USED, discount["id"]) is None
    ]


def coupons_of(tx: Transaction, subscription: Record, *, at: int) -> list[Record]:
    """The coupons that apply to a period of the subscription that starts at `at`."""
    return [coupon_of(tx, one) for one in running(tx, subscription["discounts"], at=at)]


def note_use(tx: Transaction, discount_ids: Iterable[str]) -> None:
    """These took something off an invoice: those for once apply to no other."""
    for discount_id in discount_ids:
        discount = tx.find("discount", discount_id)
        if discount is not None and coupon_of(tx, discount)["duration"] == "once":
            tx.keep(_USED, {"id": discount_id})


def end_used(tx: Transaction, subscription: Record) -> JsonObject:
    """The subscription without the discounts that were for once, or ran out."""
    kept = [discount["id"] for discount in running(tx, subscription["discounts"], at=tx.now)]
    if kept == subscription["discounts"]:
        return dict(subscription)
    for discount_id in subscription["discounts"]:
        discount = tx.find("discount", discount_id)
        if discount is not None and discount_id not in kept:
            take_back(tx, discount)
    return tx.change(subscription, "customer.subscription.updated", discounts=kept)


def _end(now: int, coupon: Record) -> int | None:
    if coupon["duration"] != "repeating":
        return None
    months = {"interval": "month", "interval_count": coupon["duration_in_months"]}
    return period_end(now, months, anchor=now)
