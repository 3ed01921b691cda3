"""Settings of the local stack, read from the environment and the checkout's `.env`.

Only addresses and choices live here. Secrets are generated (local_secrets.py) or, for a real
Stripe account, taken from the same variables the services read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dotenv import dotenv_values

from holdfast_cli.failures import StackFailure

STRIPE_API_VERSION: Final = "2026-10-28.endive"
HOST: Final = "127.0.0.1"

# name of the listener -> (environment variable, default port)
PORTS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "api-gateway": ("HOLDFAST_GATEWAY_PORT", 8080),
        "webhook-ingest": ("HOLDFAST_INGEST_PORT", 8081),
        "checkout": ("HOLDFAST_CHECKOUT_PORT", 8082),
        "projection": ("HOLDFAST_PROJECTION_PORT", 8083),
        "reconciler": ("HOLDFAST_RECONCILER_PORT", 8084),
        "stripe-double": ("HOLDFAST_STRIPE_DOUBLE_PORT", 12111),
        "mariadb": ("HOLDFAST_DATABASE_PORT", 13306),
        "kafka": ("HOLDFAST_KAFKA_PORT", 19092),
        "kafka-controller": ("HOLDFAST_KAFKA_CONTROLLER_PORT", 19093),
    }
)


@dataclass(frozen=True, slots=True)
class StripeAccount:
    """A real Stripe account in test mode, used instead of the double."""

    secret_key: str
    webhook_secrets: str
    account_id: str | None


@dataclass(frozen=True, slots=True)
class StackSettings:
    """What one run of the local stack uses. `ports` has an entry per name in PORTS."""

    ports: Mapping[str, int]
    currency: str
    app_public_url: str
    kafka_bootstrap_servers: str | None
    stripe_account: StripeAccount | None
    passthrough: Mapping[str, str]

    def url_of(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"


# Timings and switches that a person may set for the services; handed on as they are.
_PASSED_ON: Final = (
    "BILLING_CHECKOUT_LEASE_SECONDS",
    "BILLING_STRIPE_TIMEOUT_SECONDS",
    "GATEWAY_REPLY_WAIT_SECONDS",
    "RECONCILER_POLL_SECONDS",
    "KAFKA_TOPIC_PREFIX",
)


def read_environment(checkout: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The checkout's `.env` overlaid by the process's own environment."""
    from_file = {
        name: value
        for name, value in dotenv_values(checkout / ".env").items()
        if value is not None and value != ""
    }
    return {**from_file, **environ}


def load_settings(environ: Mapping[str, str]) -> StackSettings:
    """Read and check the settings; a wrong one is named."""
    ports = {name: _port(environ, variable, default) for name, (variable, default) in PORTS.items()}
    _refuse_shared_ports(ports)
    return StackSettings(
        ports=MappingProxyType(ports),
        currency=environ.get("BILLING_CURRENCY") or "usd",
        app_public_url=environ.get("APP_PUBLIC_URL") or f"http://{HOST}:{ports['api-gateway']}",
        kafka_bootstrap_servers=environ.get("KAFKA_BOOTSTRAP_SERVERS") or None,
        stripe_account=_stripe_account(environ),
        passthrough=MappingProxyType(
            {name: environ[name] for name in _PASSED_ON if environ.get(name)}
        ),
    )


def _port(environ: Mapping[str, str], variable: str, default: int) -> int:
    text = environ.get(variable) or str(default)
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise StackFailure(
        f"{variable}={text} is not a port.", way_out=(f"Set {variable} to 1..65535.",)
    )


def _refuse_shared_ports(ports: Mapping[str, int]) -> None:
    owners: dict[int, str] = {}
    for name, port in ports.items():
        if port in owners:
            raise StackFailure(
                f"{owners[port]} and {name} are both set to port {port}.",
                way_out=(f"Change {PORTS[name][0]} or {PORTS[owners[port]][0]}.",),
            )
        owners[port] = name


def _stripe_account(environ: Mapping[str, str]) -> StripeAccount | None:
    key = environ.get("BILLING_STRIPE_SECRET_KEY")
    if not key:
        return None
    if not key.startswith(("sk_test_", "rk_test_")):
        raise StackFailure(
            "BILLING_STRIPE_SECRET_KEY is not a test-mode key, and the local stack uses no other.",
            way_out=(
                "Use a key that begins with sk_test_ or rk_test_,",
                "or unset it: then the Stripe double is used.",
            ),
        )
    webhook_secrets = environ.get("BILLING_STRIPE_WEBHOOK_SECRETS", "")
    if not webhook_secrets.startswith("whsec_"):
        raise StackFailure(
            "BILLING_STRIPE_SECRET_KEY is set, but BILLING_STRIPE_WEBHOOK_SECRETS is not.",
            way_out=(
                "Run `stripe listen --forward-to "
                f"{HOST}:{_port(environ, *PORTS['webhook-ingest'])}/webhooks/stripe`",
                "and set BILLING_STRIPE_WEBHOOK_SECRETS to the whsec_... it prints,",
                "or unset BILLING_STRIPE_SECRET_KEY: then the Stripe double is used.",
            ),
        )
    return StripeAccount(
        secret_key=key,
        webhook_secrets=webhook_secrets,
        account_id=environ.get("BILLING_STRIPE_ACCOUNT_ID") or None,
    )
