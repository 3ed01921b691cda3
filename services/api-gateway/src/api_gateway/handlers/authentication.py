"""Who is calling: a user with a token of ours, or one of our own services."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from api_gateway.decisions.access_tokens import TokenPolicy, bearer_token, decide_subject
from api_gateway.decisions.service_tokens import is_service_token


class Authenticator:
    """Both answers come from the Authorization header alone."""

    def __init__(
        self,
        *,
        token_policy: TokenPolicy,
        service_token_sha256s: Sequence[str],
        clock: Callable[[], datetime],
    ) -> None:
        self._token_policy = token_policy
        self._service_token_sha256s = service_token_sha256s
        self._clock = clock

    def user_subject(self, authorizations: Sequence[str]) -> str | None:
        """The token's subject, or None when nobody has proved to be anybody."""
        token = bearer_token(authorizations)
        if token is None:
            return None
        return decide_subject(token, policy=self._token_policy, now=self._clock())

    def is_service(self, authorizations: Sequence[str]) -> bool:
        """Whether the caller holds a service token."""
        token = bearer_token(authorizations)
        return token is not None and is_service_token(token, self._service_token_sha256s)
