"""A configuration that could break a promise does not start."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from billing_common.settings import STRIPE_API_VERSION
from checkout.settings import CheckoutSettings

GOOD = {
    "BILLING_ENVIRONMENT": "test",
    "HTTP_PORT": "8082",
    "BILLING_DATABASE_URL": "mysql+asyncmy://hf_checkout:x@127.0.0.1:3306/holdfast",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "BILLING_STRIPE_SECRET_KEY": "sk_test_1",
    "BILLING_STRIPE_API_VERSION": STRIPE_API_VERSION,
    "BILLING_OPERATION_KEY_SECRET": "o" * 32,
    "BILLING_PROVIDER_IDEMPOTENCY_KEY_SECRET": "p" * 32,
    "BILLING_CURRENCY": "usd",
    "APP_PUBLIC_URL": "https://app.example.com",
}


def load(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> CheckoutSettings:
    for name, value in {**GOOD, **changes}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return CheckoutSettings()


def test_the_defaults_are_those_of_the_design(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)

    assert (settings.lease_seconds, settings.stripe_timeout_seconds) == (60, 20)


@pytest.mark.requirement("OPS-04")
@pytest.mark.parametrize(
    "changes",
    [
        {"BILLING_STRIPE_TIMEOUT_SECONDS": "59.5"},
        {"BILLING_CHECKOUT_LEASE_SECONDS": "20"},
        {"BILLING_CHECKOUT_LEASE_SECONDS": "0"},
        {"BILLING_PROVIDER_IDEMPOTENCY_KEY_SECRET": "short"},
        {"BILLING_PROVIDER_IDEMPOTENCY_KEY_SECRET": None},
        {"BILLING_STRIPE_SECRET_KEY": None},
        {"BILLING_CURRENCY": "USD"},
        {"APP_PUBLIC_URL": "https://app.example.com/path"},
        {"BILLING_DATABASE_URL": "mysql://x"},
    ],
)
def test_a_wrong_setting_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        load(monkeypatch, **changes)
