"""The keys that access tokens are signed with: Ed25519, in the database, so that several API processes share them.

The private halves are encrypted under `auth_key` of ``secrets.json``: a copy of the database alone signs nothing.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ingestion.events import new_id
from outlay.db import session
from outlay.settings import NotConfigured, Settings

_LOCK = 0x6F75746C61794B  # two processes at their first start make one key
_FRESH = 60.0  # seconds that a process goes on with the keys that it read
_PATIENCE = 5.0  # seconds between looks for a key that is not there: anybody can ask for those


@dataclass(frozen=True)
class Keys:
    """`signing` is the newest pair, `kid` its name; `verifying` every public key of which a token may still be good."""

    kid: str
    signing: Ed25519PrivateKey
    verifying: dict[str, Ed25519PublicKey]


class KeyRing:
    """The keys, read again after a while, and when a token names one that is not known. Thread-safe.

    Args:
        lifetime: of an access token; a key that was retired longer ago verifies nothing any more.
    """

    def __init__(self, using: Settings, *, lifetime: timedelta):
        self._settings, self._good_for = using, lifetime + 2 * timedelta(seconds=_FRESH)
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._keys: Keys | None = None

    def keys(self) -> Keys:
        """The keys as they were at most a minute ago; the first is made where there is none."""
        with self._lock:
            if self._keys is None or time.monotonic() - self._read_at > _FRESH:
                self._read()
            return self._keys

    def public_key(self, kid: str) -> Ed25519PublicKey | None:
        """The public key of that name; None when no token that it signed can be good."""
        found = self.keys().verifying.get(kid)
        if found is None:
            with self._lock:
                if time.monotonic() - self._read_at > _PATIENCE:
                    self._read()
                found = self._keys.verifying.get(kid)
        return found

    def _read(self) -> None:
        with session("auth", using=self._settings) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if connection.execute("SELECT 1 FROM auth.signing_keys WHERE retired_at IS NULL").fetchone() is None:
                _make(connection, self._settings)
            rows = connection.execute(
                "SELECT kid, public_key, sealed_key, retired_at FROM auth.signing_keys "
                "WHERE retired_at IS NULL OR retired_at > %s ORDER BY created_at, kid",
                (datetime.now(UTC) - self._good_for,),
            ).fetchall()
        public = {kid: Ed25519PublicKey.from_public_bytes(raw) for kid, raw, _, _ in rows}
        kid, _, sealed, _ = [row for row in rows if row[3] is None][-1]
        try:
            private = Ed25519PrivateKey.from_private_bytes(_fernet(self._settings).decrypt(sealed))
        except InvalidToken:
            raise NotConfigured(
                "the key for access tokens is encrypted under another auth_key than that of secrets.json: bring that "
                "back, or run `outlay accounts rotate-key`"
            ) from None
        self._keys, self._read_at = Keys(kid, private, public), time.monotonic()


def rotate(connection: psycopg.Connection, using: Settings, *, lifetime: timedelta) -> str:
    """Make a new key that signs from now on; returns its name. Keys retired for longer than a token lives are deleted.

    Args:
        lifetime: of an access token.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    now = datetime.now(UTC)
    over = now - lifetime - 2 * timedelta(seconds=_FRESH)
    connection.execute("DELETE FROM auth.signing_keys WHERE retired_at < %s", (over,))
    connection.execute("UPDATE auth.signing_keys SET retired_at = %s WHERE retired_at IS NULL", (now,))
    return _make(connection, using)


def _make(connection: psycopg.Connection, using: Settings) -> str:
    key, kid = Ed25519PrivateKey.generate(), str(new_id())
    connection.execute(
        "INSERT INTO auth.signing_keys (kid, public_key, sealed_key, created_at) VALUES (%s, %s, %s, %s)",
        (kid, key.public_key().public_bytes_raw(), _fernet(using).encrypt(key.private_bytes_raw()), datetime.now(UTC)),
    )
    return kid


def _fernet(using: Settings) -> Fernet:
    secret = using.auth_key.get_secret_value().encode()
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"outlay signing keys\x1f" + secret).digest()))
