-- What each service's database user may do. Run by an administrator after every migration:
--   mysql < deploy/mysql/grants.sql        (repeating it is harmless)
--
-- The users are created elsewhere, with their passwords, as 'hf_...'@'%'. webhook-ingest has none.
-- Every service reads every table and writes only what it owns. The same is declared in
-- billing_common/storage/tables/ownership.py; tests compare the two and ask a server to refuse
-- the rest. An UPDATE of `updated_at` alone is there because SELECT ... FOR UPDATE asks for an
-- UPDATE privilege on MySQL: it lets a service lock a row that it does not own.

-- On MariaDB, GRANT to a user that does not exist would create it without a password.
SET @holdfast_grants = 1 /*M!100000 , SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_CREATE_USER') */;

-- api-gateway: the directory of people and workspaces, and the entities that come with them.
-- It writes no billing row; a write is a command on Kafka.
GRANT SELECT ON holdfast.* TO 'hf_gateway'@'%';
GRANT INSERT, UPDATE ON holdfast.identity_users TO 'hf_gateway'@'%';
GRANT INSERT, UPDATE ON holdfast.identity_workspaces TO 'hf_gateway'@'%';
GRANT INSERT, UPDATE ON holdfast.identity_organizations TO 'hf_gateway'@'%';
GRANT INSERT, UPDATE, DELETE ON holdfast.identity_memberships TO 'hf_gateway'@'%';
GRANT INSERT, UPDATE ON holdfast.identity_roles TO 'hf_gateway'@'%';
GRANT INSERT, UPDATE, DELETE ON holdfast.identity_role_permissions TO 'hf_gateway'@'%';
GRANT INSERT, UPDATE ON holdfast.identity_service_tokens TO 'hf_gateway'@'%';
GRANT INSERT, UPDATE ON holdfast.billable_entities TO 'hf_gateway'@'%';
GRANT INSERT, UPDATE, DELETE ON holdfast.billable_entity_grants TO 'hf_gateway'@'%';

-- checkout: client intents, sessions, customers. It adds jobs and remediations, and locks the
-- entity, its subscriptions and its jobs in the order that every writer uses.
GRANT SELECT ON holdfast.* TO 'hf_checkout'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_customers TO 'hf_checkout'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_request_idempotency TO 'hf_checkout'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_checkout_sessions TO 'hf_checkout'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_payment_links TO 'hf_checkout'@'%';
GRANT INSERT, UPDATE (updated_at) ON holdfast.billing_subscription_remediations TO 'hf_checkout'@'%';
GRANT INSERT, UPDATE (updated_at) ON holdfast.billing_outbox_jobs TO 'hf_checkout'@'%';
GRANT UPDATE (updated_at) ON holdfast.billable_entities TO 'hf_checkout'@'%';
GRANT UPDATE (updated_at) ON holdfast.billing_subscriptions TO 'hf_checkout'@'%';

-- projection: the mirrors of the provider's objects, the events they came from, its own offsets
-- and feed. It moves the intents and sessions that an event decides, and counts entitlement
-- versions under the entity's lock.
GRANT SELECT ON holdfast.* TO 'hf_projection'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_subscriptions TO 'hf_projection'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_subscription_items TO 'hf_projection'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_invoices TO 'hf_projection'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_payments TO 'hf_projection'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_payment_methods TO 'hf_projection'@'%';
GRANT INSERT ON holdfast.billing_payment_method_sync_events TO 'hf_projection'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_webhook_events TO 'hf_projection'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_consumer_offsets TO 'hf_projection'@'%';
GRANT INSERT, DELETE ON holdfast.billing_feed_outbox TO 'hf_projection'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_relay_leases TO 'hf_projection'@'%';
GRANT UPDATE ON holdfast.billing_customers TO 'hf_projection'@'%';
GRANT UPDATE ON holdfast.billing_request_idempotency TO 'hf_projection'@'%';
GRANT UPDATE ON holdfast.billing_payment_links TO 'hf_projection'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_checkout_sessions TO 'hf_projection'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_subscription_remediations TO 'hf_projection'@'%';
GRANT INSERT, UPDATE (updated_at) ON holdfast.billing_outbox_jobs TO 'hf_projection'@'%';
GRANT UPDATE (entitlement_version, updated_at) ON holdfast.billable_entities TO 'hf_projection'@'%';

-- reconciler: its runs, the jobs and remediations that it leases, and the repair of everything
-- that the provider states otherwise.
GRANT SELECT ON holdfast.* TO 'hf_reconciler'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_reconciliation_runs TO 'hf_reconciler'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_outbox_jobs TO 'hf_reconciler'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_subscription_remediations TO 'hf_reconciler'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_webhook_events TO 'hf_reconciler'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_subscriptions TO 'hf_reconciler'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_subscription_items TO 'hf_reconciler'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_invoices TO 'hf_reconciler'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_payments TO 'hf_reconciler'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_payment_methods TO 'hf_reconciler'@'%';
GRANT INSERT ON holdfast.billing_payment_method_sync_events TO 'hf_reconciler'@'%';
GRANT INSERT ON holdfast.billing_feed_outbox TO 'hf_reconciler'@'%';
GRANT UPDATE ON holdfast.billing_customers TO 'hf_reconciler'@'%';
GRANT UPDATE ON holdfast.billing_request_idempotency TO 'hf_reconciler'@'%';
GRANT UPDATE ON holdfast.billing_payment_links TO 'hf_reconciler'@'%';
GRANT INSERT, UPDATE ON holdfast.billing_checkout_sessions TO 'hf_reconciler'@'%';
GRANT UPDATE (entitlement_version, updated_at) ON holdfast.billable_entities TO 'hf_reconciler'@'%';
