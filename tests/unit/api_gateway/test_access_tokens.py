from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api_gateway.decisions.access_tokens import (
    LEEWAY_SECONDS,
    KeyFileInvalid,
    TokenPolicy,
    bearer_token,
    decide_subject,
    keys_from_jwks,
    keys_from_shared_secret,
)

pytestmark = pytest.mark.requirement("AUTH-01")

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
SECRET = b"a shared secret that is long enough for anybody"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def public_jwk(key: Any, kid: str, algorithm: str, **changes: Any) -> dict[str, Any]:
    makers: dict[str, Callable[..., Any]] = {
        "RS256": jwt.algorithms.RSAAlgorithm.to_jwk,
        "ES256": jwt.algorithms.ECAlgorithm.to_jwk,
        "EdDSA": jwt.algorithms.OKPAlgorithm.to_jwk,
    }
    entry = json.loads(makers[algorithm](key.public_key()))
    entry.pop("key_ops", None)
    return entry | {"kid": kid, "alg": algorithm} | changes


JWKS = {
    "keys": [
        public_jwk(RSA_KEY, "rsa", "RS256"),
        public_jwk(EC_KEY, "ec", "ES256"),
        public_jwk(ED_KEY, "ed", "EdDSA"),
    ]
}
POLICY = TokenPolicy("https://login.example", "billing", keys_from_jwks(json.dumps(JWKS)))
SHARED = TokenPolicy("https://login.example", "billing", keys_from_shared_secret(SECRET))
PEM = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def claims(**changes: Any) -> dict[str, Any]:
    found = {
        "sub": "user-1",
        "iss": "https://login.example",
        "aud": "billing",
        "exp": SECONDS + 60,
    } | changes
    return {name: value for name, value in found.items() if value is not ...}


def signed(payload: Any = None, *, key: Any = RSA_KEY, alg: str = "RS256", **headers: Any) -> str:
    headers = {k: v for k, v in ({"kid": "rsa"} | headers).items() if v is not None}
    text = json.dumps(claims() if payload is None else payload).encode()
    return jwt.PyJWS().encode(text, key, algorithm=alg, headers=headers)


def segment(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def hand_made(header: dict[str, Any], *, hmac_key: bytes | None = None) -> str:
    """What no library would sign."""
    signing_input = f"{segment(header)}.{segment(claims())}"
    if hmac_key is None:
        return f"{signing_input}."
    digest = hmac.new(hmac_key, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{segment(digest)}"


@pytest.mark.parametrize(
    ("token", "policy"),
    [
        (signed(), POLICY),
        (signed(key=EC_KEY, alg="ES256", kid="ec"), POLICY),
        (signed(key=ED_KEY, alg="EdDSA", kid="ed"), POLICY),
        (signed(typ="at+jwt"), POLICY),
        (signed(claims(aud=["other", "billing"])), POLICY),
        (signed(claims(exp=SECONDS - LEEWAY_SECONDS + 1)), POLICY),
        (signed(claims(nbf=SECONDS + LEEWAY_SECONDS, iat=SECONDS - 5.5)), POLICY),
        (signed(key=SECRET, alg="HS256", kid=None), SHARED),
    ],
)
def test_tokens_of_ours(token: str, policy: TokenPolicy) -> None:
    assert decide_subject(token, policy=policy, now=NOW) == "user-1"


HOSTILE = {
    "alg none": hand_made({"alg": "none", "kid": "rsa"}),
    "alg None": hand_made({"alg": "None", "kid": "rsa"}),
    "no alg": hand_made({"kid": "rsa"}),
    "HMAC with the public key": hand_made({"alg": "HS256", "kid": "rsa"}, hmac_key=PEM),
    "HMAC with nothing": hand_made({"alg": "HS256", "kid": "rsa"}, hmac_key=b""),
    "alg in a list": hand_made({"alg": ["RS256"], "kid": "rsa"}),
    "another key's algorithm": signed(alg="RS512"),
    "PSS with the same key": signed(alg="PS256"),
    "signed by somebody": signed(key=OTHER_RSA_KEY),
    "kid of another key": signed(kid="ec"),
    "unknown kid": signed(kid="rsa-2"),
    "no kid": jwt.PyJWS().encode(json.dumps(claims()).encode(), RSA_KEY, algorithm="RS256"),
    "kid is a path": signed(kid="../../etc/passwd"),
    "kid is SQL": signed(kid="' or 1=1 --"),
    "kid is empty": signed(kid=""),
    "kid is a number": hand_made({"alg": "RS256", "kid": 1}),
    "embedded key": signed(jwk=public_jwk(OTHER_RSA_KEY, "rsa", "RS256"), key=OTHER_RSA_KEY),
    "embedded key, right signature": signed(jwk={}),
    "jku": signed(jku="https://evil.example/keys"),
    "x5u": signed(x5u="https://evil.example/cert"),
    "x5c": signed(x5c=["MIIB"]),
    "crit": hand_made({"alg": "RS256", "kid": "rsa", "crit": ["exp"], "exp": 1}),
    "b64 false": hand_made({"alg": "RS256", "kid": "rsa", "b64": False, "crit": ["b64"]}),
    "zip": signed(zip="DEF"),
    "encrypted type": signed(typ="JWE"),
    "id token type": signed(typ="secevent+jwt"),
    "type is a number": hand_made({"alg": "RS256", "kid": "rsa", "typ": 1}),
    "other issuer": signed(claims(iss="https://evil.example")),
    "issuer with a slash": signed(claims(iss="https://login.example/")),
    "issuers in a list": signed(claims(iss=["https://login.example"])),
    "no issuer": signed(claims(iss=...)),
    "other audience": signed(claims(aud="shop")),
    "no audience": signed(claims(aud=...)),
    "empty audience": signed(claims(aud=[])),
    "audience prefix": signed(claims(aud="billing-admin")),
    "audience with junk": signed(claims(aud=["billing", 1])),
    "audience in an object": signed(claims(aud={"billing": 1})),
    "expired": signed(claims(exp=SECONDS - LEEWAY_SECONDS)),
    "no expiry": signed(claims(exp=...)),
    "expiry as text": signed(claims(exp=str(SECONDS + 60))),
    "expiry true": signed(claims(exp=True)),
    "expiry in milliseconds": signed(claims(exp=(SECONDS + 60) * 1000)),
    "expiry infinite": signed(claims(exp=float("inf"))),
    "expiry NaN": signed(claims(exp=float("nan"))),
    "not yet": signed(claims(nbf=SECONDS + LEEWAY_SECONDS + 1)),
    "not before as text": signed(claims(nbf="0")),
    "issued in the future": signed(claims(iat=SECONDS + 3600)),
    "no subject": signed(claims(sub=...)),
    "empty subject": signed(claims(sub="")),
    "subject is a number": signed(claims(sub=1)),
    "subject is null": signed(claims(sub=None)),
    "subject with a line": signed(claims(sub="user\n1")),
    "subject with a half character": signed(claims(sub="\ud800")),
    "subject too long": signed(claims(sub="u" * 256)),
    "claims in a list": signed([claims()]),
    "claims are text": signed("user-1"),
    "two segments": "a.b",
    "four segments": signed() + ".x",
    "five segments": "a.b.c.d.e",
    "empty": "",
    "dots": "..",
    "huge": signed(claims(x="y" * 9000)),
    "not ASCII": signed() + "\u00e9",
    "nested header": segment(b"[" * 3000) + ".e30.x",
    "changed claim": signed().split(".")[0]
    + "."
    + segment(claims(sub="user-2"))
    + "."
    + signed().split(".")[2],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tokens_are_nobody(name: str) -> None:
    assert decide_subject(HOSTILE[name], policy=POLICY, now=NOW) is None
    assert decide_subject(HOSTILE[name], policy=SHARED, now=NOW) is None


def test_an_rsa_token_means_nothing_where_a_secret_is_shared_and_the_other_way_round() -> None:
    assert decide_subject(signed(), policy=SHARED, now=NOW) is None
    by_secret = signed(key=SECRET, alg="HS256", kid=None)
    assert decide_subject(by_secret, policy=POLICY, now=NOW) is None


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("", "not a JSON Web Key Set"),
        ("[]", "not a JSON Web Key Set"),
        ('{"keys": []}', "holds no key"),
        (json.dumps({"keys": [{"kty": "RSA"}]}), "needs a kid"),
        (json.dumps({"keys": [{"kid": "a", "kty": "oct", "k": "eA", "alg": "HS256"}]}), "alg"),
        (json.dumps({"keys": [public_jwk(RSA_KEY, "a", "RS256", alg="none")]}), "alg"),
        (json.dumps({"keys": [public_jwk(RSA_KEY, "a", "RS256", d="AA")]}), "secret"),
        (json.dumps({"keys": [public_jwk(RSA_KEY, "a", "RS256", use="enc")]}), "signatures"),
        (json.dumps({"keys": [public_jwk(EC_KEY, "a", "ES256", alg="RS256")]}), "cannot be read"),
        (json.dumps({"keys": [JWKS["keys"][0]] * 2}), "twice"),
        (
            json.dumps(
                {
                    "keys": [
                        public_jwk(
                            rsa.generate_private_key(public_exponent=65537, key_size=1024),
                            "a",
                            "RS256",
                        )
                    ]
                }
            ),
            "shorter",
        ),
    ],
)
def test_a_key_file_that_cannot_be_trusted_is_refused(document: str, says: str) -> None:
    with pytest.raises(KeyFileInvalid, match=says):
        keys_from_jwks(document)


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        (["Bearer abc"], "abc"),
        (["bearer  abc "], "abc"),
        ([], None),
        ([""], None),
        (["Bearer"], None),
        (["Bearer "], None),
        (["Basic abc"], None),
        (["Bearer a b"], None),
        (["Bearer a", "Bearer a"], None),
    ],
)
def test_the_header_names_one_token(headers: list[str], token: str | None) -> None:
    assert bearer_token(headers) == token
