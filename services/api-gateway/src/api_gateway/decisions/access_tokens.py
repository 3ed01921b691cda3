"""Who sent this request? A JSON Web Token, verified as RFC 8725 asks.

The key decides the algorithm, never the token; keys come from our own file, never from the
token's header; and a token that says less than we need says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from jwt import PyJWK, PyJWS
from jwt.exceptions import InvalidKeyError, PyJWTError

LEEWAY_SECONDS: Final = 30
TOKEN_LENGTH_MAX: Final = 8192
SUBJECT_BYTES_MAX: Final = 255
ASYMMETRIC_ALGORITHMS: Final = frozenset({"RS256", "ES256", "EdDSA"})
SHARED_SECRET_ALGORITHM: Final = "HS256"
RSA_MODULUS_BITS_MIN: Final = 2048
KEYS_MAX: Final = 32
KID_LENGTH_MAX: Final = 200
# Each of these would let a token choose its key or change what is signed.
_FORBIDDEN_HEADERS: Final = frozenset(
    {"jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip", "enc"}
)
_TOKEN_TYPES: Final = frozenset({"JWT", "AT+JWT", "APPLICATION/AT+JWT"})
_JWS: Final = PyJWS()


class KeyFileInvalid(Exception):  # noqa: N818 - exceptions are facts here
    """The JSON Web Key Set cannot be used; the message says which key and why."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One key and the one algorithm it is for."""

    algorithm: str
    key: Any


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """Whose tokens are accepted. `keys` by kid; a shared secret stands under None."""

    issuer: str
    audience: str
    keys: Mapping[str | None, VerificationKey]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a verified token says that the caller is, and all that it claims."""

    subject: str
    claims: Mapping[str, Any]


def keys_from_jwks(
    text: str, *, must_know_all: bool = True
) -> Mapping[str | None, VerificationKey]:
    """The allow-list in a JSON Web Key Set of public keys. Raises KeyFileInvalid.

    A file is ours, so every key in it must be right. A login service may publish keys for other
    purposes beside ours: with `must_know_all=False` those are left out, but a secret one never is.
    """
    try:
        entries = json.loads(text)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise KeyFileInvalid("it is not a JSON Web Key Set") from None
    keys: dict[str | None, VerificationKey] = {}
    listed = entries if isinstance(entries, list) else []
    if len(listed) > KEYS_MAX:
        raise KeyFileInvalid(f"it holds more than {KEYS_MAX} keys")
    for entry in listed:
        if not must_know_all and not _is_meant_for_us(entry):
            continue
        kid, key = _read_key(entry)
        if kid in keys:
            raise KeyFileInvalid(f"key {kid!r} appears twice")
        keys[kid] = key
    if not keys:
        raise KeyFileInvalid("it holds no key")
    return MappingProxyType(keys)


def keys_from_shared_secret(secret: bytes) -> Mapping[str | None, VerificationKey]:
    """The one key of a development set-up: any holder of it can sign as anybody."""
    return MappingProxyType({None: VerificationKey(SHARED_SECRET_ALGORITHM, secret)})


def kid_of(token: str) -> str | None:
    """The key that an unverified token names, to know whether to look for newer keys; else None."""
    if not _looks_like_a_token(token):
        return None
    try:
        kid = _JWS.get_unverified_header(token).get("kid")
    except (PyJWTError, ValueError, TypeError, RecursionError):
        return None
    return kid if isinstance(kid, str) and len(kid) <= KID_LENGTH_MAX else None


def decide_identity(token: str, *, policy: TokenPolicy, now: datetime) -> Identity | None:
    """Who sent a token that is ours, current and correctly signed; else None."""
    if not _looks_like_a_token(token):
        return None
    claims = _verified_claims(token, policy.keys)
    if claims is None or not _is_for_us(claims, policy) or not _is_current(claims, now.timestamp()):
        return None
    subject = _subject(claims.get("sub"))
    return None if subject is None else Identity(subject, claims)


def decide_subject(token: str, *, policy: TokenPolicy, now: datetime) -> str | None:
    """The `sub` of such a token; else None."""
    identity = decide_identity(token, policy=policy, now=now)
    return None if identity is None else identity.subject


def _looks_like_a_token(token: str) -> bool:
    return len(token) <= TOKEN_LENGTH_MAX and token.isascii() and token.count(".") == 2


def _verified_claims(
    token: str, keys: Mapping[str | None, VerificationKey]
) -> dict[str, Any] | None:
    try:
        header = _JWS.get_unverified_header(token)
        key = _key_for(header, keys)
        if key is None:
            return None
        payload = _JWS.decode(token, key.key, algorithms=[key.algorithm])
        claims = json.loads(payload)
    except (PyJWTError, InvalidKeyError, ValueError, TypeError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _key_for(
    header: Mapping[str, Any], keys: Mapping[str | None, VerificationKey]
) -> VerificationKey | None:
    if not _FORBIDDEN_HEADERS.isdisjoint(header):
        return None
    token_type = header.get("typ", "JWT")
    if not isinstance(token_type, str) or token_type.upper() not in _TOKEN_TYPES:
        return None
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        return None
    key = keys.get(kid)
    return key if key is not None and header.get("alg") == key.algorithm else None


def _is_for_us(claims: Mapping[str, Any], policy: TokenPolicy) -> bool:
    audiences = claims.get("aud")
    if isinstance(audiences, str):
        audiences = [audiences]
    if not isinstance(audiences, list) or not all(isinstance(one, str) for one in audiences):
        return False
    return claims.get("iss") == policy.issuer and policy.audience in audiences


def _is_current(claims: Mapping[str, Any], now_seconds: float) -> bool:
    if not _is_moment(claims.get("exp")) or claims["exp"] <= now_seconds - LEEWAY_SECONDS:
        return False
    for not_before in ("nbf", "iat"):
        if not_before in claims and (
            not _is_moment(claims[not_before]) or claims[not_before] > now_seconds + LEEWAY_SECONDS
        ):
            return False
    return True


def _is_moment(value: Any) -> bool:
    # bool is an int in Python; a number beyond any calendar is a trick, not a time.
    return type(value) in (int, float) and 0 <= value < 1e11


def _subject(value: Any) -> str | None:
    if not isinstance(value, str) or not value or not value.isprintable():
        return None
    # isprintable() refuses lone surrogates too, so encoding cannot fail.
    return value if len(value.encode()) <= SUBJECT_BYTES_MAX else None


def _is_meant_for_us(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("use", "sig") == "sig"
        and entry.get("alg") in ASYMMETRIC_ALGORITHMS
    )


def _read_key(entry: Any) -> tuple[str, VerificationKey]:
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str) or not entry["kid"]:
        raise KeyFileInvalid("every key needs a kid")
    kid: str = entry["kid"]
    algorithm = entry.get("alg")
    if algorithm not in ASYMMETRIC_ALGORITHMS:
        allowed = ", ".join(sorted(ASYMMETRIC_ALGORITHMS))
        raise KeyFileInvalid(f"key {kid!r} must state alg as one of {allowed}")
    if "d" in entry or "k" in entry:
        raise KeyFileInvalid(f"key {kid!r} is secret; the file is for public keys only")
    if entry.get("use", "sig") != "sig":
        raise KeyFileInvalid(f"key {kid!r} is not for signatures")
    try:
        key = PyJWK(entry, algorithm=algorithm).key
    except (PyJWTError, ValueError, TypeError) as error:
        raise KeyFileInvalid(f"key {kid!r} cannot be read") from error
    if algorithm == "RS256" and key.key_size < RSA_MODULUS_BITS_MIN:
        raise KeyFileInvalid(f"key {kid!r} is shorter than {RSA_MODULUS_BITS_MIN} bits")
    return kid, VerificationKey(algorithm, key)


def bearer_token(authorizations: Sequence[str]) -> str | None:
    """The token of exactly one `Authorization: Bearer ...` header; else None."""
    if len(authorizations) != 1:
        return None
    scheme, _, token = authorizations[0].partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token and " " not in token else None
