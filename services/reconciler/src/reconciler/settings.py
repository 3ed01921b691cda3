"""What reconciler reads from its environment."""

from __future__ import annotations

from pydantic import Field

from billing_common.settings import DatabaseSettings, KafkaSettings


class ReconcilerSettings(DatabaseSettings, KafkaSettings):
    """Its own MySQL user, Kafka, and how often it looks."""

    poll_seconds: float = Field(
        default=2, validation_alias="RECONCILER_POLL_SECONDS", gt=0, le=3600
    )
    event_attempts_max: int = Field(
        default=8, validation_alias="RECONCILER_EVENT_ATTEMPTS_MAX", ge=1, le=100
    )
