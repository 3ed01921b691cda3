"""Settings of the double: environment `STRIPE_DOUBLE_*`, command line, or keyword arguments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from stripe_double import API_VERSION
from stripe_double.wire.versions.names import VERSIONS

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_TEST_KEY = re.compile(r"^(sk|rk)_test_[A-Za-z0-9_]{8,}$")

# From a second to a day: about three days in all, as Stripe retries in live mode.
_DEFAULT_RETRY_SECONDS = (1, 2, 4, 8, 15, 30, 60, 300, 900, 3600, 10800, 21600, 43200, 86400, 86400)

CommaList = Annotated[tuple[str, ...], NoDecode]
CommaSeconds = Annotated[tuple[float, ...], NoDecode]


class Settings(BaseSettings):
    """Everything that can be chosen at start. A wrong value stops the start and is named."""

    model_config = SettingsConfigDict(env_prefix="STRIPE_DOUBLE_", extra="forbid", frozen=True)

    api_keys: CommaList
    """Secret keys that are accepted (`sk_test_…`, `rk_test_…`), comma separated."""
    host: str = "127.0.0.1"
    port: int = Field(default=12111, ge=0, le=65535)
    public_url: str | None = None
    """Base of the hosted page's URL; default: the address that is listened on."""
    data_dir: Path | None = None
    """Where SQLite keeps the world; none: memory only."""
    seed: str | None = None
    """Same seed and same requests: same ids. None: random, kept in the data directory."""
    control: bool = False
    """Whether `/_double/` is served. Only on a loopback address."""
    clock_start_seconds: int | None = None
    """Virtual unix second of the start; none: now."""
    clock_ticking: bool = True
    """False: only the control plane moves the clock."""
    webhook_url: str | None = None
    """An endpoint that exists from the start and gets every event."""
    webhook_secrets: CommaList = ()
    """Its signing secret, or two during a rotation."""
    webhook_retry_seconds: CommaSeconds = _DEFAULT_RETRY_SECONDS
    """Waits between delivery attempts, in seconds of the double's clock."""
    webhook_timeout_seconds: float = Field(default=10.0, gt=0)
    webhook_concurrency: int = Field(default=16, ge=1)
    account_api_version: str = API_VERSION
    """The account's default: of requests that name no version and endpoints that have none."""
    events_listed_in: Literal["account", "request"] = "account"
    """The version of events that are retrieved and listed: that of the account, in which Stripe
    renders an event once and for all, or that of each request."""
    subscription_starts_as: Literal["active", "incomplete"] = "active"
    """How `customer.subscription.created` shows a paid one; `incomplete` adds an update."""
    event_list_lag_seconds: float = Field(default=0.0, ge=0)
    """How much later than it happened, on the double's clock, an event appears in lists."""
    rate_limit_read_per_second: int | None = Field(default=None, ge=1)
    """GETs in any second, then 429; none: no limit."""
    rate_limit_write_per_second: int | None = Field(default=None, ge=1)
    rate_limit_endpoint_per_second: int | None = Field(default=None, ge=1)
    """Requests to any one operation in any second."""
    rate_limit_clock: Literal["real", "virtual"] = "real"
    """Whose seconds these are."""
    subscription_after_retries: Literal["cancel", "unpaid", "past_due"] = "cancel"
    """What becomes of a subscription whose invoice was refused for the last time."""
    account_country: str = "US"
    account_name: str = "Stripe Double"

    @field_validator("api_keys", "webhook_secrets", "webhook_retry_seconds", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            [v.strip() for v in value.split(",") if v.strip()] if isinstance(value, str) else value
        )

    @field_validator("api_keys")
    @classmethod
    def _only_test_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if not keys or any(not _TEST_KEY.match(key) for key in keys):
            message = "give one or more keys that start with sk_test_ or rk_test_; never a live key"
            raise ValueError(message)
        return keys

    @field_validator("account_api_version")
    @classmethod
    def _only_rendered_versions(cls, version: str) -> str:
        if version not in VERSIONS:
            message = f"is not rendered; choose one of {', '.join(VERSIONS)}"
            raise ValueError(message)
        return version

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.control and self.host not in LOOPBACK:
            message = "control is served on a loopback host only; set host to 127.0.0.1"
            raise ValueError(message)
        if self.webhook_url is not None and not 1 <= len(self.webhook_secrets) <= 2:
            message = "webhook_url needs webhook_secrets: one secret, or two during a rotation"
            raise ValueError(message)
        return self
