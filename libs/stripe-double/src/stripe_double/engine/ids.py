"""Ids and secrets drawn from one seed: the n-th id of a kind is the same in every run."""

from __future__ import annotations

import hashlib

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LETTERS = bytes(_ALPHABET[value % 62] for value in range(256))

# Object type -> (prefix, characters after it), as Stripe's own ids look in test mode.
SHAPES = {
    "customer": ("cus_", 14),
    "product": ("prod_", 14),
    "price": ("price_1", 23),
    "checkout.session": ("cs_test_a1", 56),
    "item": ("li_1", 23),
    "subscription": ("sub_1", 23),
    "subscription_item": ("si_", 14),
    "invoice": ("in_1", 23),
    "line_item": ("il_1", 23),
    "invoice_payment": ("inpay_1", 23),
    "invoiceitem": ("ii_1", 23),
    "credit_note": ("cn_1", 23),
    "credit_note_line_item": ("cnli_1", 23),
    "subscription_schedule": ("sub_sched_1", 23),
    "test_helpers.test_clock": ("clock_1", 23),
    "payment_intent": ("pi_3", 23),
    "charge": ("ch_3", 23),
    "payment_method": ("pm_1", 23),
    "event": ("evt_1", 23),
    "webhook_endpoint": ("we_1", 23),
    "event_destination": ("ed_test_", 32),
    "request": ("req_", 14),
    "delivery": ("wdl_", 16),
    "webhook_secret": ("whsec_", 32),
    "client_secret": ("secret_", 24),
    "fingerprint": ("", 16),
    "balance_transaction": ("txn_3", 23),
    "card": ("card_1", 23),
    "coupon": ("", 8),
    "customer_balance_transaction": ("cbtxn_1", 23),
    "customer_cash_balance_transaction": ("ccsbtxn_1", 23),
    "discount": ("di_1", 23),
    "dispute": ("du_1", 23),
    "mandate": ("mandate_1", 23),
    "promotion_code": ("promo_1", 23),
    "radar.early_fraud_warning": ("issfr_1", 23),
    "reference": ("", 12),
    "refund": ("re_3", 23),
    "setup_attempt": ("setatt_1", 23),
    "setup_intent": ("seti_1", 23),
    "token": ("tok_1", 23),
    "invoice_prefix": ("", 8),
    "billing.meter": ("mtr_test_6", 23),
    "billing.meter_event": ("mev_", 32),
    "billing.meter_event_summary": ("mtrusg_test_6", 23),
    "billing_portal.configuration": ("bpc_1", 23),
    "billing_portal.session": ("bps_1", 23),
    "entitlements.active_entitlement": ("ent_test_6", 23),
    "entitlements.feature": ("feat_test_6", 23),
    "payment_link": ("plink_1", 23),
    "payment_link_token": ("test_", 22),
    "portal_token": ("test_", 48),
    "product_feature": ("prodft_test_6", 23),
}


class Ids:
    """A counter per kind; the characters are a hash of seed, kind and count."""

    def __init__(self, seed: str, *, counters: dict[str, int] | None = None) -> None:
        self.seed = seed
        self._key = hashlib.sha256(seed.encode()).digest()
        self.counters: dict[str, int] = dict(counters or {})

    def draw(self, name: str) -> float:
        """The next number in [0, 1) of a named series: chance that the seed decides."""
        series = f"draw:{name}"
        count = self.counters.get(series, 0) + 1
        self.counters[series] = count
        digest = hashlib.blake2b(f"{series}:{count}".encode(), key=self._key, digest_size=7)
        return int.from_bytes(digest.digest(), "big") / 2**56

    def next(self, kind: str) -> str:
        """The next id of `kind` (a key of `SHAPES`)."""
        count = self.counters.get(kind, 0) + 1
        self.counters[kind] = count
        prefix, length = SHAPES[kind]
        digest = hashlib.blake2b(f"{kind}:{count}".encode(), key=self._key).digest()
        return prefix + digest[:length].translate(_LETTERS).decode()
