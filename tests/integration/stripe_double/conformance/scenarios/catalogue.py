"""Customers, products, prices, discounts, entitlements."""

from __future__ import annotations

from tests.integration.stripe_double.conformance.in_process import Shop
from tests.integration.stripe_double.conformance.scenarios import stock


def customers(shop: Shop) -> None:
    made = shop.v1.customers.create(
        {
            "email": "ada@example.com",
            "name": "Ada",
            "phone": "+4912345",
            "description": "first",
            "address": {"line1": "Street 1", "city": "Berlin", "country": "DE"},
            "preferred_locales": ["de", "en"],
            "metadata": {"entity": "1"},
        }
    )
    shop.v1.customers.update(made.id, {"name": "Ada L.", "metadata": {"entity": ""}})
    shop.v1.customers.retrieve(made.id)
    shop.v1.customers.list({"email": "ada@example.com", "limit": 3})
    shop.v1.customers.delete(made.id)
    shop.v1.customers.retrieve(made.id)


def customer_balance(shop: Shop) -> None:
    customer = shop.v1.customers.create({"email": "ada@example.com"}).id
    balance = shop.v1.customers.balance_transactions
    made = balance.create(customer, {"amount": -300, "currency": "usd", "description": "a gift"})
    balance.update(customer, made.id, {"metadata": {"why": "gift"}})
    balance.retrieve(customer, made.id)
    balance.list(customer, {"limit": 5})


def customer_cards(shop: Shop) -> None:
    customer = stock.payer(shop)
    methods = shop.v1.customers.payment_methods
    listed = methods.list(customer.id, {"type": "card"}).data
    methods.retrieve(customer.id, listed[0].id)
    shop.v1.payment_methods.update(listed[0].id, {"metadata": {"a": "b"}})
    shop.v1.payment_methods.detach(listed[0].id)
    for kind in ("us_bank_account", "sepa_debit"):
        details = {
            "us_bank_account": {
                "account_number": "000123456789",
                "routing_number": "110000000",
                "account_holder_type": "individual",
            },
            "sepa_debit": {"iban": "DE89370400440532013000"},
        }[kind]
        shop.v1.payment_methods.create(
            {
                "type": kind,
                kind: details,
                "billing_details": {"name": "Ada", "email": "ada@example.com"},
            }
        )


def card_sources(shop: Shop) -> None:
    customer = shop.v1.customers.create({}).id
    sources = shop.v1.customers.payment_sources
    made = sources.create(customer, {"source": "tok_visa"})
    sources.update(customer, made.id, {"name": "Ada", "metadata": {"a": "b"}})
    sources.retrieve(customer, made.id)
    sources.list(customer)
    sources.delete(customer, made.id)


def tokens(shop: Shop) -> None:
    token = shop.v1.tokens.create(
        {"card": {"number": "4242424242424242", "exp_month": "12", "exp_year": "2040"}}
    )
    shop.v1.tokens.retrieve(token.id)
    shop.v1.payment_methods.create({"type": "card", "card": {"token": token.id}})


def cards(shop: Shop) -> None:
    made = shop.v1.payment_methods.create(
        {
            "type": "card",
            "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040},
            "billing_details": {"name": "Ada"},
        }
    )
    customer = shop.v1.customers.create({})
    shop.v1.payment_methods.attach(made.id, {"customer": customer.id})
    shop.v1.payment_methods.retrieve(made.id)
    shop.v1.payment_methods.list({"customer": customer.id, "type": "card"})


def products_and_prices(shop: Shop) -> None:
    product = shop.v1.products.create(
        {"name": "Pro", "description": "All of it", "metadata": {"tier": "2"}}
    )
    shop.v1.products.update(product.id, {"name": "Pro 2", "active": True})
    shop.v1.products.retrieve(product.id)
    price = shop.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 1200,
            "recurring": {"interval": "year", "interval_count": 1},
            "product": product.id,
            "lookup_key": "pro_yearly",
            "nickname": "Yearly",
        }
    )
    shop.v1.prices.update(price.id, {"nickname": "Per year", "metadata": {"a": "b"}})
    shop.v1.prices.retrieve(price.id, {"expand": ["product"]})
    shop.v1.prices.list({"lookup_keys": ["pro_yearly"], "expand": ["data.product"]})
    shop.v1.products.update(product.id, {"default_price": price.id})
    shop.v1.products.list({"active": True})
    gone = shop.v1.products.create({"name": "Gone"})
    shop.v1.products.delete(gone.id)


def tiers(shop: Shop) -> None:
    shop.v1.prices.create(
        {
            "currency": "usd",
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [{"up_to": 10, "unit_amount": 500}, {"up_to": "inf", "unit_amount": 400}],
            "recurring": {"interval": "month"},
            "product_data": {"name": "Seats"},
            "expand": ["tiers"],
        }
    )


def discounts(shop: Shop) -> None:
    coupon = shop.v1.coupons.create(
        {"percent_off": 12.5, "duration": "repeating", "duration_in_months": 3, "name": "Spring"}
    )
    shop.v1.coupons.create({"amount_off": 300, "currency": "usd", "duration": "once"})
    shop.v1.coupons.update(coupon.id, {"name": "Spring 2", "metadata": {"a": "b"}})
    shop.v1.coupons.retrieve(coupon.id)
    shop.v1.coupons.list()
    code = shop.v1.promotion_codes.create(
        {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "SPRING"}
    )
    shop.v1.promotion_codes.update(code.id, {"metadata": {"a": "b"}})
    shop.v1.promotion_codes.retrieve(code.id)
    shop.v1.promotion_codes.list({"code": "SPRING"})
    shop.v1.promotion_codes.update(code.id, {"active": False})
    shop.v1.coupons.delete(coupon.id)


def discounted(shop: Shop) -> None:
    coupon = shop.v1.coupons.create({"percent_off": 50, "duration": "forever"}).id
    subscription = stock.subscribed(shop, discounts=[{"coupon": coupon}])
    shop.v1.subscriptions.retrieve(subscription.id, {"expand": ["discounts"]})
    shop.control.advance(32 * stock.DAY)
    shop.v1.subscriptions.delete_discount(subscription.id)


def discounted_checkout(shop: Shop) -> None:
    coupon = shop.v1.coupons.create({"percent_off": 50, "duration": "once"}).id
    stock.bought(shop, discounts=[{"coupon": coupon}])


def discounted_customer(shop: Shop) -> None:
    coupon = shop.v1.coupons.create({"percent_off": 50, "duration": "forever"}).id
    customer = stock.payer(shop)
    subscription = stock.subscribed(shop, customer=customer.id, discounts=[{"coupon": coupon}])
    shop.v1.subscriptions.update(subscription.id, {"discounts": ""})


def entitlements(shop: Shop) -> None:
    feature = shop.v1.entitlements.features.create({"name": "Export", "lookup_key": "export"})
    shop.v1.entitlements.features.update(feature.id, {"name": "Exports"})
    shop.v1.entitlements.features.retrieve(feature.id)
    shop.v1.entitlements.features.list()
    product = shop.v1.products.create({"name": "Pro"})
    features = shop.v1.products.features
    attached = features.create(product.id, {"entitlement_feature": feature.id})
    features.retrieve(product.id, attached.id)
    features.list(product.id)
    price = stock.monthly(shop, product=product.id, product_data=None)
    bought = stock.bought(shop, price=price)
    active = shop.v1.entitlements.active_entitlements.list({"customer": bought.customer}).data
    shop.v1.entitlements.active_entitlements.retrieve(active[0].id)
    features.delete(product.id, attached.id)
    shop.v1.subscriptions.cancel(bought.subscription)


SCENARIOS = (
    customers,
    customer_balance,
    customer_cards,
    card_sources,
    tokens,
    cards,
    products_and_prices,
    tiers,
    discounts,
    discounted,
    discounted_checkout,
    discounted_customer,
    entitlements,
)
