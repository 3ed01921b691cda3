#!/bin/sh
# Writes the settings of docker-compose.yml: random secrets, and the Stripe double switched on.
#
#   tools/compose-env.sh [FILE]     FILE: deploy/docker/.env, which git ignores
#
# It never overwrites the file: data that exists was made with its passwords.
set -eu
file=${1:-$(dirname "$0")/../deploy/docker/.env}
if [ -e "$file" ]; then
    echo "$file is there already; remove it, and the volumes, to start over"
    exit 0
fi
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
token=$(random)
umask 077
cat >"$file" <<ENV
# Secrets of this machine's compose stack, made by tools/compose-env.sh. Never commit it.
COMPOSE_PROFILES=double
BILLING_ENVIRONMENT=development
BILLING_STRIPE_BASE_URL=http://stripe-double:12111
BILLING_STRIPE_SECRET_KEY=sk_test_$(random)
BILLING_STRIPE_WEBHOOK_SECRETS=whsec_$(random)
BILLING_OPERATION_KEY_SECRET=$(random)
BILLING_PROVIDER_IDEMPOTENCY_KEY_SECRET=$(random)
BILLING_JWT_SHARED_SECRET=$(random)
# The internal API takes this token; the gateway knows its digest only.
HOLDFAST_SERVICE_TOKEN=$token
BILLING_SERVICE_TOKEN_SHA256S=$(printf '%s' "$token" | sha256sum | cut -d' ' -f1)
HOLDFAST_MYSQL_ROOT_PASSWORD=$(random)
HOLDFAST_DB_MIGRATE_PASSWORD=$(random)
HOLDFAST_DB_GATEWAY_PASSWORD=$(random)
HOLDFAST_DB_CHECKOUT_PASSWORD=$(random)
HOLDFAST_DB_PROJECTION_PASSWORD=$(random)
HOLDFAST_DB_RECONCILER_PASSWORD=$(random)
ENV
echo "$file written (mode 0600)"
