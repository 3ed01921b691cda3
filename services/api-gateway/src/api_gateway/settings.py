"""What api-gateway reads from the environment, checked as a whole before anything starts."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from billing_common.domain.secret_rings import SECRET_LENGTH_MIN
from billing_common.settings import (
    CurrencySettings,
    DatabaseSettings,
    Environment,
    KafkaSettings,
    OperationKeySettings,
)

BODY_BYTES_MAX: Final = 64 * 1024
# A workspace with all its members is one document; only other services may send it.
INTERNAL_BODY_BYTES_MAX: Final = 1024 * 1024
HEADER_BYTES_MAX: Final = 16 * 1024
READ_TIMEOUT_SECONDS: Final = 10.0
RETRY_AFTER_SECONDS: Final = 5
CONNECTIONS_MAX: Final = 1000
KEEP_ALIVE_SECONDS: Final = 15
# Beyond the longest wait for a reply, so that a restart answers what it was asked.
DRAIN_MARGIN_SECONDS: Final = 10

LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "::1", "localhost"})
KEY_FILE_LOOKED_AT_SECONDS: Final = 5.0
KEY_ADDRESS_LOOKED_AT_SECONDS: Final = 300.0
# After a rest: so many seconds' worth at once.
RATE_BURST_SECONDS: Final = 10.0

_SHA256_HEX: Final = re.compile(r"[0-9a-f]{64}")


class GatewaySettings(DatabaseSettings, KafkaSettings, OperationKeySettings, CurrencySettings):
    """Tokens are verified with a key set from a file or an address, or outside production with one
    shared secret. Rates are per replica."""

    jwt_issuer: str = Field(validation_alias="BILLING_JWT_ISSUER", min_length=1)
    jwt_audience: str = Field(validation_alias="BILLING_JWT_AUDIENCE", min_length=1)
    jwt_jwks_file: Path | None = Field(default=None, validation_alias="BILLING_JWT_JWKS_FILE")
    jwt_jwks_url: str | None = Field(default=None, validation_alias="BILLING_JWT_JWKS_URL")
    jwt_shared_secret: SecretStr | None = Field(
        default=None, validation_alias="BILLING_JWT_SHARED_SECRET", min_length=SECRET_LENGTH_MIN
    )
    service_token_sha256s: Annotated[tuple[str, ...], NoDecode] = Field(
        validation_alias="BILLING_SERVICE_TOKEN_SHA256S"
    )
    reply_wait_seconds: float = Field(
        default=25, validation_alias="GATEWAY_REPLY_WAIT_SECONDS", gt=0, le=60
    )
    provisions_from_claims: bool = Field(
        default=False, validation_alias="GATEWAY_PROVISION_FROM_CLAIMS"
    )
    rate_replica_per_second: float = Field(
        default=1000, validation_alias="GATEWAY_RATE_REPLICA_PER_SECOND", gt=0
    )
    rate_user_per_second: float = Field(
        default=50, validation_alias="GATEWAY_RATE_USER_PER_SECOND", gt=0
    )
    rate_service_per_second: float = Field(
        default=500, validation_alias="GATEWAY_RATE_SERVICE_PER_SECOND", gt=0
    )
    rate_account_per_second: float = Field(
        default=50, validation_alias="GATEWAY_RATE_ACCOUNT_PER_SECOND", gt=0
    )
    rate_account_writes_per_minute: float = Field(
        default=300, validation_alias="GATEWAY_RATE_ACCOUNT_WRITES_PER_MINUTE", gt=0
    )
    # Names this replica among its siblings; it decides the partition its replies come on.
    instance_id: str = Field(default="", validation_alias="GATEWAY_INSTANCE_ID", max_length=200)

    @field_validator("service_token_sha256s", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip().lower() for part in value.split(",") if part.strip())

    @field_validator("service_token_sha256s")
    @classmethod
    def _are_digests(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not _SHA256_HEX.fullmatch(digest) for digest in value):
            raise ValueError("must be SHA-256 digests in hex, separated by commas")
        return value

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        sources = (self.jwt_jwks_file, self.jwt_jwks_url, self.jwt_shared_secret)
        if sum(source is not None for source in sources) != 1:
            raise ValueError(
                "set exactly one of BILLING_JWT_JWKS_FILE, BILLING_JWT_JWKS_URL and "
                "BILLING_JWT_SHARED_SECRET"
            )
        is_production = self.environment is Environment.PRODUCTION
        if self.jwt_shared_secret is not None and is_production:
            raise ValueError("BILLING_JWT_SHARED_SECRET is not for production: set a JWKS source")
        if self.jwt_jwks_url is not None:
            _check_key_address(self.jwt_jwks_url, is_production=is_production)
        return self

    @model_validator(mode="after")
    def _nobody_can_use_up_the_replica(self) -> Self:
        if self.rate_account_per_second > self.rate_replica_per_second / 2:
            raise ValueError(
                "GATEWAY_RATE_ACCOUNT_PER_SECOND must be at most half of "
                "GATEWAY_RATE_REPLICA_PER_SECOND, or one account stops all others"
            )
        return self

    @property
    def replica_name(self) -> str:
        """Stable across restarts of the same replica."""
        return self.instance_id or f"{socket.gethostname()}:{self.http_port}"


def _check_key_address(url: str, *, is_production: bool) -> None:
    try:
        parts = urlsplit(url)
        host, port_is_right = parts.hostname, parts.port is None or parts.port > 0
    except ValueError:
        host, port_is_right = None, False
    if host is None or not port_is_right or parts.username is not None or parts.fragment:
        raise ValueError("BILLING_JWT_JWKS_URL must be an address without user and fragment")
    is_loopback = parts.scheme == "http" and host in LOOPBACK_HOSTS and not is_production
    if parts.scheme != "https" and not is_loopback:
        raise ValueError(
            "BILLING_JWT_JWKS_URL must be https (http only to this machine, outside production)"
        )
