from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from api_gateway.settings import GatewaySettings

GOOD = {
    "BILLING_ENVIRONMENT": "test",
    "HTTP_PORT": "8080",
    "BILLING_DATABASE_URL": "mysql+asyncmy://u:p@h/d",
    "KAFKA_BOOTSTRAP_SERVERS": "h:1",
    "BILLING_OPERATION_KEY_SECRET": "o" * 32,
    "BILLING_CURRENCY": "usd",
    "BILLING_JWT_ISSUER": "i",
    "BILLING_JWT_AUDIENCE": "a",
    "BILLING_JWT_SHARED_SECRET": "s" * 32,
    "BILLING_SERVICE_TOKEN_SHA256S": "A" * 64 + ", " + "b" * 64,
}


def load(**changes: str | None) -> GatewaySettings:
    found: dict[str, Any] = {k: v for k, v in (GOOD | changes).items() if v is not None}
    return GatewaySettings.model_validate(found)


def test_good_settings() -> None:
    settings = load()
    assert settings.service_token_sha256s == ("a" * 64, "b" * 64)
    assert settings.reply_wait_seconds == 25
    assert settings.replica_name.endswith(":8080")
    assert load(BILLING_SERVICE_TOKEN_SHA256S="").service_token_sha256s == ()


@pytest.mark.requirement("AUTH-01")
@pytest.mark.parametrize(
    "changes",
    [
        {"BILLING_ENVIRONMENT": "production"},  # no shared secret there
        {"BILLING_JWT_SHARED_SECRET": None},
        {"BILLING_JWT_SHARED_SECRET": "short"},
        {"BILLING_JWT_JWKS_FILE": "/keys.json"},  # two sources of keys
        {"BILLING_JWT_JWKS_URL": "https://login.example/keys"},  # beside the shared secret
        {"BILLING_JWT_ISSUER": ""},
        {"BILLING_JWT_AUDIENCE": None},
        {"BILLING_OPERATION_KEY_SECRET": "o" * 31},
        {"BILLING_SERVICE_TOKEN_SHA256S": "not-a-digest"},
        {"BILLING_SERVICE_TOKEN_SHA256S": None},
        {"GATEWAY_REPLY_WAIT_SECONDS": "0"},
        {"GATEWAY_REPLY_WAIT_SECONDS": "61"},
        {"GATEWAY_RATE_ACCOUNT_PER_SECOND": "501"},  # one account could stop all others
        {"GATEWAY_RATE_USER_PER_SECOND": "0"},
    ],
)
def test_settings_that_would_be_unsafe_stop_the_start(changes: dict[str, str | None]) -> None:
    with pytest.raises(ValidationError):
        load(**changes)


@pytest.mark.requirement("AUTH-01")
@pytest.mark.parametrize(
    ("url", "environment", "is_good"),
    [
        ("https://login.example/.well-known/jwks.json", "production", True),
        ("https://login.example:8443/keys", "test", True),
        ("http://127.0.0.1:9000/keys", "test", True),
        ("http://[::1]:9000/keys", "development", True),
        ("http://127.0.0.1:9000/keys", "production", False),
        ("http://login.example/keys", "development", False),
        ("http://127.0.0.1.evil.example/keys", "development", False),
        ("http://127.0.0.1@evil.example/keys", "development", False),
        ("https://user:secret@login.example/keys", "test", False),
        ("https://login.example/keys#a", "test", False),
        ("https:///keys", "test", False),
        ("https://login.example:port/keys", "test", False),
        ("file:///etc/keys.json", "test", False),
        ("ftp://login.example/keys", "test", False),
        ("login.example/keys", "test", False),
    ],
)
def test_keys_come_over_https_or_from_this_machine(
    url: str, environment: str, *, is_good: bool
) -> None:
    changes: dict[str, str | None] = {
        "BILLING_JWT_SHARED_SECRET": None,
        "BILLING_JWT_JWKS_URL": url,
        "BILLING_ENVIRONMENT": environment,
    }
    if is_good:
        assert load(**changes).jwt_jwks_url == url
    else:
        with pytest.raises(ValidationError, match="BILLING_JWT_JWKS_URL"):
            load(**changes)


@pytest.mark.requirement("IDEM-06")
def test_operation_secrets_rotate() -> None:
    ring = load(BILLING_OPERATION_KEY_SECRET="b:" + "n" * 32 + ",a:" + "o" * 32)
    assert ring.operation_key_secrets.all == (b"n" * 32, b"o" * 32)
    with pytest.raises(ValidationError) as refused:
        load(BILLING_OPERATION_KEY_SECRET="n" * 32 + "," + "o" * 32)
    assert "n" * 32 not in str(refused.value.errors(include_input=False))
