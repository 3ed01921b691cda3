"""Settings that two or more services read. No secret has a default; a wrong value stops the start.

Names are those of `.env.example`. `load` turns pydantic's report into sentences for a person.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Final, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from billing_common.domain.secret_rings import SECRET_LENGTH_MIN, SecretRing, parse_secret_ring

STRIPE_API_VERSION: Final = "2026-10-28.endive"
# What one provider call and the transaction after it may need beyond the call's own limit.
LEASE_MARGIN_SECONDS: Final = 1


class Environment(StrEnum):
    """Where we run. Only production accepts live keys; only the others accept a Stripe double."""

    PRODUCTION = "production"
    TEST = "test"
    DEVELOPMENT = "development"


class ServiceSettings(BaseSettings):
    """Every service's settings: fields are read from variables of the same name in upper case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    environment: Environment = Field(validation_alias="BILLING_ENVIRONMENT")
    http_host: str = Field(default="127.0.0.1", validation_alias="HTTP_HOST")
    http_port: int = Field(validation_alias="HTTP_PORT", ge=1, le=65535)


class DatabaseSettings(ServiceSettings):
    """Services that use MySQL: each with a user of its own."""

    database_url: SecretStr = Field(validation_alias="BILLING_DATABASE_URL")

    @field_validator("database_url")
    @classmethod
    def _uses_our_driver(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith("mysql+asyncmy://"):
            raise ValueError("must start with mysql+asyncmy://")
        return value


class KafkaSettings(ServiceSettings):
    """All services meet on Kafka."""

    kafka_bootstrap_servers: str = Field(
        validation_alias="KAFKA_BOOTSTRAP_SERVERS", pattern=r"^[^:,\s]+:\d+(,[^:,\s]+:\d+)*$"
    )
    kafka_topic_prefix: str = Field(default="", validation_alias="KAFKA_TOPIC_PREFIX")


class StripeSettings(ServiceSettings):
    """Services that call Stripe. `stripe_base_url` points all calls at a double, never in
    production."""

    stripe_secret_key: SecretStr = Field(validation_alias="BILLING_STRIPE_SECRET_KEY")
    stripe_api_version: str = Field(validation_alias="BILLING_STRIPE_API_VERSION")
    stripe_base_url: str | None = Field(default=None, validation_alias="BILLING_STRIPE_BASE_URL")
    stripe_timeout_seconds: float = Field(
        default=20, validation_alias="BILLING_STRIPE_TIMEOUT_SECONDS", gt=0, le=60
    )

    @model_validator(mode="after")
    def _mode_fits(self) -> Self:
        if self.stripe_api_version != STRIPE_API_VERSION:
            raise ValueError(f"BILLING_STRIPE_API_VERSION must be {STRIPE_API_VERSION}")
        is_live = self.stripe_secret_key.get_secret_value().startswith(("sk_live_", "rk_live_"))
        if is_live and self.environment is not Environment.PRODUCTION:
            raise ValueError("BILLING_STRIPE_SECRET_KEY is a live key outside production")
        if self.stripe_base_url and self.environment is Environment.PRODUCTION:
            raise ValueError("BILLING_STRIPE_BASE_URL must not be set in production")
        return self


class OperationKeySettings(ServiceSettings):
    """Services that name operations. One secret, or several while they are rotated:
    `id:secret,id:secret`, the newest first."""

    operation_key_secret: SecretStr = Field(
        validation_alias="BILLING_OPERATION_KEY_SECRET", min_length=SECRET_LENGTH_MIN
    )

    @field_validator("operation_key_secret")
    @classmethod
    def _is_a_ring(cls, value: SecretStr) -> SecretStr:
        parse_secret_ring(value.get_secret_value())
        return value

    @property
    def operation_key_secrets(self) -> SecretRing:
        """The newest first."""
        return parse_secret_ring(self.operation_key_secret.get_secret_value())


class KeySettings(OperationKeySettings):
    """Services that also derive the keys of provider calls; written in the same way."""

    provider_idempotency_key_secret: SecretStr = Field(
        validation_alias="BILLING_PROVIDER_IDEMPOTENCY_KEY_SECRET", min_length=SECRET_LENGTH_MIN
    )

    @field_validator("provider_idempotency_key_secret")
    @classmethod
    def _provider_secret_is_a_ring(cls, value: SecretStr) -> SecretStr:
        parse_secret_ring(value.get_secret_value())
        return value

    @property
    def provider_idempotency_key_secrets(self) -> SecretRing:
        """The newest first."""
        return parse_secret_ring(self.provider_idempotency_key_secret.get_secret_value())


class CurrencySettings(ServiceSettings):
    """One deployment, one currency."""

    currency: str = Field(validation_alias="BILLING_CURRENCY", pattern=r"^[a-z]{3}$")


class MarketSettings(CurrencySettings):
    """And one public address."""

    public_url: str = Field(validation_alias="APP_PUBLIC_URL", pattern=r"^https?://[^\s/?#]+/?$")


CommaSeparated = Annotated[tuple[SecretStr, ...], NoDecode]


class WebhookSecretSettings(ServiceSettings):
    """One signing secret, or two while they are being rotated."""

    webhook_secrets: CommaSeparated = Field(validation_alias="BILLING_STRIPE_WEBHOOK_SECRETS")

    @field_validator("webhook_secrets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("webhook_secrets")
    @classmethod
    def _one_or_two(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not 1 <= len(value) <= 2 or any(
            not secret.get_secret_value().startswith("whsec_") for secret in value
        ):
            raise ValueError("must be one or two whsec_... secrets, separated by a comma")
        return value


S = TypeVar("S", bound=ServiceSettings)


def load(settings_class: type[S]) -> S:
    """The settings, or exit status 78 (EX_CONFIG) after one line per wrong setting on stderr.

    Values are never printed: they may be secrets.
    """
    try:
        return settings_class()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"]) or "settings"
            sys.stderr.write(f"configuration error: {name}: {problem['msg']}\n")
        sys.stderr.write("The settings are described in .env.example.\n")
        raise SystemExit(78) from None
