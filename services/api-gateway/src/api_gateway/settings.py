"""What api-gateway reads from the environment, checked as a whole before anything starts."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from billing_common.domain.secret_rings import SECRET_LENGTH_MIN
from billing_common.settings import (
    DatabaseSettings,
    Environment,
    KafkaSettings,
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

_SHA256_HEX: Final = re.compile(r"[0-9a-f]{64}")


class GatewaySettings(DatabaseSettings, KafkaSettings):
    """Tokens are verified with a key file, or outside production with one shared secret."""

    operation_key_secret: SecretStr = Field(
        validation_alias="BILLING_OPERATION_KEY_SECRET", min_length=SECRET_LENGTH_MIN
    )
    jwt_issuer: str = Field(validation_alias="BILLING_JWT_ISSUER", min_length=1)
    jwt_audience: str = Field(validation_alias="BILLING_JWT_AUDIENCE", min_length=1)
    jwt_jwks_file: Path | None = Field(default=None, validation_alias="BILLING_JWT_JWKS_FILE")
    jwt_shared_secret: SecretStr | None = Field(
        default=None, validation_alias="BILLING_JWT_SHARED_SECRET", min_length=SECRET_LENGTH_MIN
    )
    service_token_sha256s: Annotated[tuple[str, ...], NoDecode] = Field(
        validation_alias="BILLING_SERVICE_TOKEN_SHA256S"
    )
    reply_wait_seconds: float = Field(
        default=25, validation_alias="GATEWAY_REPLY_WAIT_SECONDS", gt=0, le=60
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
        if (self.jwt_jwks_file is None) == (self.jwt_shared_secret is None):
            raise ValueError(
                "set exactly one of BILLING_JWT_JWKS_FILE and BILLING_JWT_SHARED_SECRET"
            )
        if self.jwt_shared_secret is not None and self.environment is Environment.PRODUCTION:
            raise ValueError("BILLING_JWT_SHARED_SECRET is not for production: set a JWKS file")
        return self

    @property
    def replica_name(self) -> str:
        """Stable across restarts of the same replica."""
        return self.instance_id or f"{socket.gethostname()}:{self.http_port}"
