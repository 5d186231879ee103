"""Access tokens: JSON Web Tokens (RFC 7519, RFC 9068) that are good for a quarter of an hour.

One algorithm (EdDSA), keys of our own alone (`kid` picks one of them; a key, or an address of one, inside a token is
never looked at), one type, issuer and audience. Each names its session, which is looked up: one that ended takes its
tokens with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt

from ingestion.events import new_id
from outlay.accounts.errors import NotAdmitted
from outlay.accounts.signing_keys import KeyRing

LIFETIME = timedelta(minutes=15)
AUDIENCE, ISSUER = "outlay-api", "outlay"
_ALGORITHM, _TYPE = "EdDSA", "at+jwt"
_CLAIMS = ("iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp")
_LEEWAY = timedelta(seconds=5)  # between clocks of machines


@dataclass(frozen=True)
class Claimed:
    """Whose token it is, and of which session."""

    user_id: UUID
    session_id: UUID


def issue(ring: KeyRing, *, user_id: UUID, session_id: UUID, now: datetime | None = None) -> str:
    now = now or datetime.now(UTC)
    keys = ring.keys()
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user_id),
        "sid": str(session_id),
        "jti": str(new_id()),
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
    }
    return jwt.encode(claims, keys.signing, algorithm=_ALGORITHM, headers={"kid": keys.kid, "typ": _TYPE})


def verified(ring: KeyRing, token: str) -> Claimed:
    """What a token says, once its signature, type, issuer, audience and times are right.

    Raises:
        NotAdmitted: one of them is not.
    """
    try:
        header = jwt.get_unverified_header(token)
        key = ring.public_key(str(header.get("kid")))
        if key is None or header.get("typ") != _TYPE:
            raise NotAdmitted("the token is not one of this installation's access tokens")
        claims = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=_LEEWAY,
            options={"require": list(_CLAIMS)},
        )
        return Claimed(UUID(claims["sub"]), UUID(claims["sid"]))
    except jwt.ExpiredSignatureError:
        raise NotAdmitted("the access token is over: trade the refresh token for the next one") from None
    except (jwt.InvalidTokenError, ValueError):
        raise NotAdmitted("the token is not one of this installation's access tokens") from None
