"""What webhook-ingest reads from the environment: the broker, the signing secrets, the mode."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from billing_common.settings import KafkaSettings, WebhookSecretSettings

# Stripe's own limit for an event is far below; this is what we are ready to hold in memory.
BODY_BYTES_MAX: Final = 262_144
# A whole delivery, first byte to last. Stripe sends one in milliseconds.
READ_TIMEOUT_SECONDS: Final = 10.0
# Stripe gives up after 20 s: later than this nobody hears the answer.
PUBLISH_TIMEOUT_SECONDS: Final = 8.0
RETRY_AFTER_SECONDS: Final = 5
CONNECTIONS_MAX: Final = 1000
KEEP_ALIVE_SECONDS: Final = 15
# Longer than reading plus publishing, so that a delivery under way is answered.
DRAIN_SECONDS: Final = 20


class IngestSettings(KafkaSettings, WebhookSecretSettings):
    """No database and no Stripe API key: this service needs neither."""

    stripe_livemode: bool = Field(validation_alias="BILLING_STRIPE_LIVEMODE")
    # Set: an event that names another account is refused. Unset: the account is not looked at.
    stripe_account_id: str | None = Field(
        default=None,
        validation_alias="BILLING_STRIPE_ACCOUNT_ID",
        pattern=r"^acct_[A-Za-z0-9]{1,64}$",
    )
