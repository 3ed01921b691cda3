"""Development tokens: signed with the local stack's own shared secret, useless anywhere else."""

from __future__ import annotations

from datetime import datetime, timedelta

import jwt

from holdfast_cli.environment import JWT_AUDIENCE, JWT_ISSUER


def mint_token(shared_secret: str, *, subject: str, now: datetime, lifetime: timedelta) -> str:
    """A JWT (HS256) for the product's user `subject`, valid from `now` for `lifetime`."""
    claims = {
        "iss": JWT_ISSUER,
        "aud": JWT_AUDIENCE,
        "sub": subject,
        "iat": now,
        "exp": now + lifetime,
    }
    return jwt.encode(claims, shared_secret, algorithm="HS256")
