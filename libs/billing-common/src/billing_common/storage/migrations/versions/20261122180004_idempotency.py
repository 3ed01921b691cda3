"""Client intents: claim, frozen request, lease, outcome.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180004"
down_revision = "20261122180003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_request_idempotency (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            action ENUM('checkout', 'portal', 'payment_link', 'payment_link_deactivation')
                CHARACTER SET ascii COLLATE ascii_bin
                NOT NULL,
            flow ENUM('subscription', 'one_off') CHARACTER SET ascii COLLATE ascii_bin,
            client_idempotency_key VARBINARY(191) NOT NULL,
            actor_user_id VARBINARY(255),
            request_fingerprint_hash VARBINARY(64) NOT NULL,
            normalized_request_json JSON NOT NULL,
            operation_key VARBINARY(64) NOT NULL,
            provider VARBINARY(32) NOT NULL,
            provider_idempotency_key VARBINARY(255) NOT NULL,
            provider_request_params MEDIUMBLOB,
            provider_request_hash VARBINARY(64),
            provider_request_schema_version VARBINARY(120),
            provider_sdk_name VARBINARY(64),
            provider_sdk_version VARBINARY(32),
            provider_api_version VARBINARY(64),
            provider_request_frozen_at DATETIME(6),
            provider_idempotency_replay_deadline_at DATETIME(6),
            provider_checkout_session_expires_at_upper_bound DATETIME(6),
            provider_session_id VARBINARY(255),
            status ENUM('pending', 'succeeded', 'failed', 'expired') CHARACTER SET ascii COLLATE
                ascii_bin NOT NULL DEFAULT 'pending',
            response_status SMALLINT UNSIGNED,
            response_body MEDIUMBLOB,
            failure_code VARBINARY(96),
            failure_reason TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci,
            failure_details_json JSON,
            lease_owner VARBINARY(120),
            pending_lease_expires_at DATETIME(6),
            pending_last_heartbeat_at DATETIME(6),
            lease_version INTEGER UNSIGNED NOT NULL DEFAULT 1,
            recovery_attempt_count INTEGER UNSIGNED NOT NULL DEFAULT 0,
            last_recovery_attempt_at DATETIME(6),
            active_checkout_pending_key BIGINT UNSIGNED GENERATED ALWAYS AS ((case when action =
                'checkout' and flow = 'subscription' and status = 'pending' then billable_entity_id
                end)) STORED,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_request_idempotency_entity_action_client_key UNIQUE
                (billable_entity_id, action, client_idempotency_key),
            CONSTRAINT uq_billing_request_idempotency_action_operation UNIQUE (action,
                operation_key),
            CONSTRAINT uq_billing_request_idempotency_provider_key UNIQUE (provider,
                provider_idempotency_key),
            CONSTRAINT uq_billing_request_idempotency_active_checkout_pending_key UNIQUE
                (active_checkout_pending_key),
            CONSTRAINT fk_billing_request_idempotency_entity FOREIGN KEY(billable_entity_id)
                REFERENCES billable_entities (id) ON DELETE RESTRICT,
            CONSTRAINT ck_billing_request_idempotency_checkout_states_its_flow CHECK ((action =
                'checkout') = (flow is not null)),
            CONSTRAINT ck_billing_request_idempotency_lease_only_while_pending CHECK ((lease_owner
                is null) = (pending_lease_expires_at is null) and (lease_owner is null or status =
                'pending')),
            INDEX ix_billing_request_idempotency_entity_action_created (billable_entity_id, action,
                created_at),
            INDEX ix_billing_request_idempotency_operation_key (operation_key),
            INDEX ix_billing_request_idempotency_provider_session (provider_session_id),
            INDEX ix_billing_request_idempotency_replay_deadline
                (provider_idempotency_replay_deadline_at),
            INDEX ix_billing_request_idempotency_status_lease (status, pending_lease_expires_at),
            INDEX ix_billing_request_idempotency_status_updated (status, updated_at)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
