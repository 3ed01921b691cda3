"""What checkout reads from its environment. A lease must outlive the provider call inside it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from billing_common.settings import (
    LEASE_MARGIN_SECONDS,
    DatabaseSettings,
    KafkaSettings,
    KeySettings,
    MarketSettings,
    StripeSettings,
)


class CheckoutSettings(
    DatabaseSettings, KafkaSettings, StripeSettings, KeySettings, MarketSettings
):
    """Its own MySQL user, Kafka, Stripe, the key secrets and the market it sells in."""

    lease_seconds: float = Field(
        default=60, validation_alias="BILLING_CHECKOUT_LEASE_SECONDS", ge=5, le=600
    )
    entities_in_flight_max: int = Field(
        default=64, validation_alias="CHECKOUT_ENTITIES_IN_FLIGHT_MAX", ge=1, le=1000
    )
    database_connections_max: int = Field(
        default=20, validation_alias="CHECKOUT_DATABASE_CONNECTIONS_MAX", ge=2, le=200
    )

    @model_validator(mode="after")
    def _a_call_fits_into_a_lease(self) -> Self:
        if self.stripe_timeout_seconds + LEASE_MARGIN_SECONDS >= self.lease_seconds:
            raise ValueError(
                "BILLING_STRIPE_TIMEOUT_SECONDS must be smaller than "
                f"BILLING_CHECKOUT_LEASE_SECONDS by more than {LEASE_MARGIN_SECONDS} s"
            )
        return self
