"""Builds the environment of each process: what it needs, and nothing else.

The gateway gets no Stripe key, the ingest no database; a leak in one service is not a leak of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from holdfast_cli.local_secrets import LocalSecrets
from holdfast_cli.settings import HOST, STRIPE_API_VERSION, StackSettings

DATABASE_NAME: Final = "holdfast"
JWT_ISSUER: Final = "holdfast-local"
WEBHOOK_PATH: Final = "/webhooks/stripe"
JWT_AUDIENCE: Final = "holdfast"

_DATABASE_USERS: Final = {
    "api-gateway": "hf_gateway",
    "checkout": "hf_checkout",
    "projection": "hf_projection",
    "reconciler": "hf_reconciler",
}
_CALLS_STRIPE: Final = frozenset({"checkout", "projection"})
_NAMES_OPERATIONS: Final = frozenset({"api-gateway", "checkout"})
_NAMES_PROVIDER_CALLS: Final = frozenset({"checkout"})

# Of the caller's own environment only this is handed down: no token or key by accident.
_INHERITED: Final = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}
)


def inherited_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What any child process needs of the caller's environment."""
    kept = {name: value for name, value in environ.items() if name in _INHERITED}
    return {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", **kept}


def database_url(user: str, settings: StackSettings, secrets: LocalSecrets) -> str:
    """The URL one database user connects with."""
    password = secrets.database_passwords[user]
    port = settings.ports["mariadb"]
    return f"mysql+asyncmy://{user}:{password}@{HOST}:{port}/{DATABASE_NAME}?charset=utf8mb4"


def kafka_bootstrap_servers(settings: StackSettings) -> str:
    """The broker every service talks to."""
    return settings.kafka_bootstrap_servers or f"{HOST}:{settings.ports['kafka']}"


def service_environment(
    name: str, settings: StackSettings, secrets: LocalSecrets
) -> dict[str, str]:
    """The variables of one of the five services (without the inherited ones)."""
    values = {
        "BILLING_ENVIRONMENT": "development",
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap_servers(settings),
        "HTTP_HOST": HOST,
        "HTTP_PORT": str(settings.ports[name]),
        "BILLING_CURRENCY": settings.currency,
        "APP_PUBLIC_URL": settings.app_public_url,
        "BILLING_STRIPE_LIVEMODE": "false",
        "BILLING_STRIPE_API_VERSION": STRIPE_API_VERSION,
        **settings.passthrough,
    }
    if name in _DATABASE_USERS:
        values["BILLING_DATABASE_URL"] = database_url(_DATABASE_USERS[name], settings, secrets)
    if name in _NAMES_OPERATIONS:
        values["BILLING_OPERATION_KEY_SECRET"] = secrets.operation_key_secret
    if name in _NAMES_PROVIDER_CALLS:
        values["BILLING_PROVIDER_IDEMPOTENCY_KEY_SECRET"] = secrets.provider_idempotency_key_secret
    if name in _CALLS_STRIPE:
        values |= stripe_environment(settings, secrets)
    if name == "webhook-ingest":
        account = settings.stripe_account
        values["BILLING_STRIPE_WEBHOOK_SECRETS"] = (
            account.webhook_secrets if account else secrets.stripe_webhook_secret
        )
    if name == "api-gateway":
        values |= {
            "BILLING_JWT_ISSUER": JWT_ISSUER,
            "BILLING_JWT_AUDIENCE": JWT_AUDIENCE,
            "BILLING_JWT_SHARED_SECRET": secrets.jwt_shared_secret,
            "BILLING_SERVICE_TOKEN_SHA256S": secrets.service_token_sha256,
        }
    return values


def stripe_environment(settings: StackSettings, secrets: LocalSecrets) -> dict[str, str]:
    """How a service reaches Stripe: the real one in test mode, or the double."""
    account = settings.stripe_account
    if account is not None:
        values = {"BILLING_STRIPE_SECRET_KEY": account.secret_key}
        return values | (
            {"BILLING_STRIPE_ACCOUNT_ID": account.account_id} if account.account_id else {}
        )
    return {
        "BILLING_STRIPE_SECRET_KEY": secrets.stripe_secret_key,
        "BILLING_STRIPE_BASE_URL": settings.url_of("stripe-double"),
    }


def double_environment(
    settings: StackSettings, secrets: LocalSecrets, state_folder: Path
) -> dict[str, str]:
    """The variables of the Stripe double (see its README)."""
    return {
        "STRIPE_DOUBLE_HOST": HOST,
        "STRIPE_DOUBLE_PORT": str(settings.ports["stripe-double"]),
        "STRIPE_DOUBLE_API_KEYS": secrets.stripe_secret_key,
        "STRIPE_DOUBLE_DATA_DIR": str(state_folder),
        "STRIPE_DOUBLE_CONTROL": "true",
        "STRIPE_DOUBLE_ACCOUNT_NAME": "Holdfast demo shop",
        "STRIPE_DOUBLE_WEBHOOK_URL": webhook_url(settings),
        "STRIPE_DOUBLE_WEBHOOK_SECRETS": secrets.stripe_webhook_secret,
    }


def webhook_url(settings: StackSettings) -> str:
    """Where Stripe's deliveries go."""
    return settings.url_of("webhook-ingest") + WEBHOOK_PATH
