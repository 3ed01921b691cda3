"""The local stack's secrets: random, made once, readable by their owner only.

There is no default anywhere: a stack whose secrets file is lost gets new ones and a new database.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path

from holdfast_cli.failures import StackFailure

DATABASE_USERS = ("hf_migrate", "hf_gateway", "hf_checkout", "hf_projection", "hf_reconciler")


@dataclass(frozen=True, slots=True, repr=False)
class LocalSecrets:
    """One value per secret; `database_passwords` has one per database user."""

    operation_key_secret: str
    provider_idempotency_key_secret: str
    jwt_shared_secret: str
    service_token: str
    stripe_secret_key: str
    stripe_webhook_secret: str
    database_passwords: dict[str, str]

    @property
    def service_token_sha256(self) -> str:
        return sha256(self.service_token.encode()).hexdigest()


def generate_secrets() -> LocalSecrets:
    """New random values, 256 bits each; letters and digits only, so they fit URLs and SQL."""
    return LocalSecrets(
        operation_key_secret=secrets.token_hex(32),
        provider_idempotency_key_secret=secrets.token_hex(32),
        jwt_shared_secret=secrets.token_hex(32),
        service_token=secrets.token_hex(32),
        stripe_secret_key=f"sk_test_{secrets.token_hex(32)}",
        stripe_webhook_secret=f"whsec_{secrets.token_hex(32)}",
        database_passwords={user: secrets.token_hex(32) for user in DATABASE_USERS},
    )


def load_or_create_secrets(path: Path) -> LocalSecrets:
    """Read the secrets file, or make it with mode 0600."""
    if path.exists():
        return load_secrets(path)
    made = generate_secrets()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(made), file, indent=2)
    return made


def load_secrets(path: Path) -> LocalSecrets:
    """Read an existing secrets file; it is refused when others can read it or parts are missing."""
    try:
        mode = path.stat().st_mode
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StackFailure(
            f"The secrets file {path} cannot be read ({error.__class__.__name__}).",
            way_out=("Start over with: holdfast down --wipe && holdfast up",),
        ) from error
    if mode & 0o077:
        raise StackFailure(
            f"The secrets file {path} can be read by others (mode {mode & 0o777:o}).",
            way_out=(f"chmod 600 {path}",),
        )
    expected = {field.name for field in fields(LocalSecrets)}
    if not isinstance(raw, dict) or set(raw) != expected:
        raise StackFailure(
            f"The secrets file {path} is from another version of Holdfast.",
            way_out=("Start over with: holdfast down --wipe && holdfast up",),
        )
    return LocalSecrets(**raw)
