"""An access token is taken when this installation made it, for this use, in its time; whatever else it looks like."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from outlay.accounts import access_tokens
from outlay.accounts.errors import NotAdmitted
from outlay.accounts.signing_keys import Keys

USER, SESSION = uuid4(), uuid4()


class Ring:
    """Two keys: the newest signs, both verify."""

    def __init__(self) -> None:
        old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        self.private = {"old": old, "new": new}
        self._keys = Keys("new", new, {name: key.public_key() for name, key in self.private.items()})

    def keys(self) -> Keys:
        return self._keys

    def public_key(self, kid: str):
        return self._keys.verifying.get(kid)


@pytest.fixture(scope="module")
def ring():
    return Ring()


def claims(**other) -> dict:
    now = datetime.now(UTC)
    good = {
        **{"iss": "outlay", "aud": "outlay-api", "sub": str(USER), "sid": str(SESSION), "jti": str(uuid4())},
        **{"iat": now, "nbf": now, "exp": now + timedelta(minutes=15)},
    }
    late = {name: now + value for name, value in other.items() if isinstance(value, timedelta)}
    return {name: value for name, value in (good | other | late).items() if value is not None}


def signed(ring, payload, *, key=None, algorithm="EdDSA", **header) -> str:
    head = {"kid": "new", "typ": "at+jwt"} | header
    return jwt.encode(payload, key or ring.private["new"], algorithm=algorithm, headers=head)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(header: dict, payload: dict, secret: bytes | None = None) -> str:
    """A token that no library would make."""
    numbers = {k: int(v.timestamp()) if isinstance(v, datetime) else v for k, v in payload.items()}
    said = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(numbers).encode())}"
    return f"{said}.{b64(hmac.digest(secret, said.encode(), hashlib.sha256)) if secret else ''}"


def refused(ring, token: str) -> None:
    with pytest.raises(NotAdmitted):
        access_tokens.verified(ring, token)


def test_a_token_says_whose_it_is_for_a_quarter_of_an_hour(ring):
    token = access_tokens.issue(ring, user_id=USER, session_id=SESSION)
    assert access_tokens.verified(ring, token) == access_tokens.Claimed(USER, SESSION)
    said = jwt.decode(token, options={"verify_signature": False})
    assert said["exp"] - said["iat"] == 15 * 60
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": "new", "typ": "at+jwt"}


def test_a_token_of_the_key_before_is_good_until_it_is_over(ring):
    assert access_tokens.verified(ring, signed(ring, claims(), key=ring.private["old"], kid="old")).user_id == USER


def test_an_expired_token_says_so(ring):
    late = access_tokens.issue(ring, user_id=USER, session_id=SESSION, now=datetime.now(UTC) - timedelta(minutes=16))
    with pytest.raises(NotAdmitted, match="is over"):
        access_tokens.verified(ring, late)


def test_no_signature_is_no_token(ring):
    for name in ("none", "None", "NONE", "nOnE"):
        refused(ring, by_hand({"alg": name, "kid": "new", "typ": "at+jwt"}, claims()))


def test_the_public_key_is_no_secret_to_sign_with(ring):
    """Algorithm confusion: HMAC with what everybody may know, in each form that it is written in."""
    public = ring.private["new"].public_key()
    forms = [
        public.public_bytes_raw(),
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
    ]
    for form in forms:
        refused(ring, by_hand({"alg": "HS256", "kid": "new", "typ": "at+jwt"}, claims(), form))


def test_another_key_of_the_same_name_is_refused(ring):
    refused(ring, signed(ring, claims(), key=Ed25519PrivateKey.generate()))


@pytest.mark.parametrize("kid", ["unknown", "", "../../etc/passwd", "' OR 1=1 --"])
def test_an_unknown_key_is_refused(ring, kid):
    refused(ring, signed(ring, claims(), kid=kid))


def test_a_key_that_the_token_brings_along_is_not_looked_at(ring):
    mine = Ed25519PrivateKey.generate()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(mine.public_key().public_bytes_raw())}
    refused(ring, signed(ring, claims(), key=mine, kid="mine", jwk=jwk))
    refused(ring, signed(ring, claims(), key=mine, jwk=jwk, jku="https://attacker.example/keys"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another-service"},
        {"aud": None},
        {"iss": "somebody else"},
        {"iss": None},
        {"exp": None},
        {"nbf": timedelta(minutes=5)},
        {"iat": timedelta(minutes=5)},
        {"sub": None},
        {"sub": "not an id"},
        {"sid": None},
        {"sid": "1; DROP TABLE"},
        {"jti": None},
    ],
)
def test_a_claim_that_is_wrong_or_missing_refuses_the_token(ring, wrong):
    refused(ring, signed(ring, claims(**wrong)))


@pytest.mark.parametrize("typ", ["JWT", "refresh+jwt", None])
def test_a_token_for_another_purpose_is_refused(ring, typ):
    refused(ring, signed(ring, claims(), typ=typ))


@pytest.mark.parametrize("nonsense", ["", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "é" * 40, "x" * 100_000])
def test_what_is_no_token_is_refused(ring, nonsense):
    refused(ring, nonsense)
