"""What projection reads from its environment."""

from __future__ import annotations

from pydantic import Field

from billing_common.settings import DatabaseSettings, KafkaSettings, StripeSettings


class ProjectionSettings(DatabaseSettings, KafkaSettings, StripeSettings):
    """Its own MySQL user, the event log, and Stripe for the truth in a tie."""

    batch_records_max: int = Field(
        default=500, validation_alias="PROJECTION_BATCH_RECORDS_MAX", ge=1, le=5000
    )
