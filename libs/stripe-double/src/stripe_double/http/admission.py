"""Whether a request gets in at all: authentication, version, headers; nothing of it is kept."""

from __future__ import annotations

from collections.abc import Collection

from stripe_double.engine.errors import ApiError, not_modelled
from stripe_double.engine.records import JsonObject
from stripe_double.http.requests import ApiRequest
from stripe_double.wire.forms import decode, decode_json
from stripe_double.wire.versions.names import train_of

_CONNECT_HEADERS = ("stripe-account", "stripe-context")


def authenticate(request: ApiRequest, api_keys: Collection[str]) -> None:
    """ApiError 401 unless the request carries one of these keys."""
    key = request.secret_key
    if not key:
        raise _unauthorized(
            "You did not provide an API key. Provide it in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    if key.startswith(("sk_live_", "rk_live_")):
        raise _unauthorized("stripe-double never accepts a live key. It was not recorded.")
    if key not in api_keys:
        raise _unauthorized(f"Invalid API Key provided: {key[:8]}***")


def version_of(request: ApiRequest, account_version: str) -> str:
    """The API version of a request. One that is not rendered: ApiError 400."""
    version = request.headers.get("stripe-version", account_version)
    train_of(version)
    return version


def refuse_connect(request: ApiRequest) -> None:
    """ApiError 501 for a request in the name of a connected account."""
    for header in _CONNECT_HEADERS:
        if header in request.headers:
            raise not_modelled(f"the header {header} (connected accounts)")


def raw_parameters(request: ApiRequest) -> JsonObject:
    """The parameters as a tree of strings: form or query in v1; JSON or query in v2."""
    if request.is_v2 and request.method == "POST":
        return {**decode(request.query), **decode_json(request.body_text)}
    return decode(request.parameter_text)


def _unauthorized(message: str) -> ApiError:
    return ApiError(401, "invalid_request_error", message)
