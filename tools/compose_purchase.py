"""Buys one subscription on the running compose stack, end to end: the demo, in containers.

    .venv/bin/python tools/compose_purchase.py [ENV_FILE]        (default deploy/docker/.env)

It offers two plans, syncs a user and a workspace, subscribes through the gateway, pays on the page
of Stripe's double, and fails unless the double holds exactly one active subscription of the buyer.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from dotenv import dotenv_values
from rich.console import Console

from holdfast_cli.demo import run_demo
from holdfast_cli.failures import StackFailure
from holdfast_cli.local_secrets import DATABASE_USERS
from holdfast_cli.paths import stack_paths
from holdfast_cli.progress import Progress
from holdfast_cli.settings import load_settings
from holdfast_cli.stack import make_stack

_DEFAULT_FILE = Path(__file__).parents[1] / "deploy" / "docker" / ".env"


def write_secrets(settings: dict[str, str], folder: Path) -> None:
    """The compose stack's secrets in the form in which the demo reads those of a local stack."""
    passwords = {
        user: settings[f"HOLDFAST_DB_{user.removeprefix('hf_').upper()}_PASSWORD"]
        for user in DATABASE_USERS
    }
    secrets = {
        "operation_key_secret": settings["BILLING_OPERATION_KEY_SECRET"],
        "provider_idempotency_key_secret": settings["BILLING_PROVIDER_IDEMPOTENCY_KEY_SECRET"],
        "jwt_shared_secret": settings["BILLING_JWT_SHARED_SECRET"],
        "service_token": settings["HOLDFAST_SERVICE_TOKEN"],
        "stripe_secret_key": settings["BILLING_STRIPE_SECRET_KEY"],
        "stripe_webhook_secret": settings["BILLING_STRIPE_WEBHOOK_SECRETS"],
        "database_passwords": passwords,
    }
    file = folder / "secrets.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(secrets), encoding="utf-8")


def main() -> int:
    """Exit status 0 when one active subscription came out."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else _DEFAULT_FILE
    settings = {name: value or "" for name, value in dotenv_values(file).items()}
    with tempfile.TemporaryDirectory(prefix="holdfast-compose-") as folder:
        write_secrets(settings, Path(folder))
        # Ports may be set in the file or around it; keys stay out: the demo drives the double.
        ports = {name: value for name, value in settings.items() if name.endswith("_PORT")}
        around = {name: value for name, value in os.environ.items() if name.endswith("_PORT")}
        environment = {"HOLDFAST_HOME": folder, **ports, **around}
        try:
            stack = make_stack(stack_paths(environment), load_settings(environment))
            run_demo(stack, Progress(Console()))
        except StackFailure as failure:
            sys.stderr.write(f"{failure}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
