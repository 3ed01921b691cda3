"""Who is calling: a user with a token of ours, or one of our own services."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from api_gateway.decisions.access_tokens import (
    Identity,
    TokenPolicy,
    bearer_token,
    decide_identity,
    kid_of,
)
from api_gateway.decisions.service_tokens import (
    ServiceCaller,
    StoredToken,
    decide_configured,
    decide_stored,
    token_digest,
)
from api_gateway.handlers.key_ring import KeyRing
from api_gateway.repository import service_tokens
from billing_common.storage.transaction import Database


class Authenticator:
    """Both answers come from the Authorization header alone."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: KeyRing,
        configured_token_sha256s: Sequence[str],
        database: Database,
        clock: Callable[[], datetime],
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._configured = configured_token_sha256s
        self._database = database
        self._clock = clock

    async def user(self, authorizations: Sequence[str]) -> Identity | None:
        """Who signed in, or None when nobody has proved to be anybody. Raises KeysUnavailable."""
        token = bearer_token(authorizations)
        if token is None:
            return None
        keys = await self._keys.keys_for(kid_of(token))
        policy = TokenPolicy(self._issuer, self._audience, keys)
        return decide_identity(token, policy=policy, now=self._clock())

    async def service(self, authorizations: Sequence[str]) -> ServiceCaller | None:
        """The calling service, or None. Asked anew every time: a revoked token is refused at once.

        Raises DatabaseUnavailable for a token that is not one of the settings.
        """
        token = bearer_token(authorizations)
        digest = None if token is None else token_digest(token)
        if digest is None:
            return None
        configured = decide_configured(digest, self._configured)
        if configured is not None:
            return configured
        async with self._database.read(name="find_service_token") as connection:
            row = await service_tokens.find_by_digest(connection, digest)
        stored = None
        if row is not None:
            stored = StoredToken(
                name=row.name,
                token_sha256=row.token_sha256,
                scopes=row.scopes,
                expires_at=row.expires_at,
                revoked_at=row.revoked_at,
            )
        return decide_stored(digest, stored, now=self._clock())
