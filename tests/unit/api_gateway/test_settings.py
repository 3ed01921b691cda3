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
        {"BILLING_JWT_ISSUER": ""},
        {"BILLING_JWT_AUDIENCE": None},
        {"BILLING_OPERATION_KEY_SECRET": "o" * 31},
        {"BILLING_SERVICE_TOKEN_SHA256S": "not-a-digest"},
        {"BILLING_SERVICE_TOKEN_SHA256S": None},
        {"GATEWAY_REPLY_WAIT_SECONDS": "0"},
        {"GATEWAY_REPLY_WAIT_SECONDS": "61"},
    ],
)
def test_settings_that_would_be_unsafe_stop_the_start(changes: dict[str, str | None]) -> None:
    with pytest.raises(ValidationError):
        load(**changes)
