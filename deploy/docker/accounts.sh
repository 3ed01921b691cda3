#!/bin/bash
# The database and one account per user of it, with the passwords of the environment; repeating it
# changes passwords to what is set now. What a service may do is said by deploy/mysql/grants.sql,
# after the migrations.
set -euo pipefail

account() { # USER VARIABLE
    local password=${!2}
    if [[ ! $password =~ ^[A-Za-z0-9]+$ ]]; then
        echo "$2 may hold letters and digits only: it goes into a URL" >&2
        exit 1
    fi
    echo "CREATE USER IF NOT EXISTS '$1'@'%' IDENTIFIED BY '$password';"
    echo "ALTER USER '$1'@'%' IDENTIFIED BY '$password';"
}

{
    echo "CREATE DATABASE IF NOT EXISTS holdfast CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
    account hf_migrate HF_MIGRATE_PASSWORD
    account hf_gateway HF_GATEWAY_PASSWORD
    account hf_checkout HF_CHECKOUT_PASSWORD
    account hf_projection HF_PROJECTION_PASSWORD
    account hf_reconciler HF_RECONCILER_PASSWORD
    echo "GRANT ALL PRIVILEGES ON holdfast.* TO 'hf_migrate'@'%';"
} >/tmp/accounts.sql # first the whole script, so that a wrong password changes nothing
mysql --host=database --user=root </tmp/accounts.sql
echo "database and accounts are there"
