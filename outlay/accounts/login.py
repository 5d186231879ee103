"""Logging in: an address and a password become a session. A wrong one and an unknown one look, and take, the same."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from uuid import UUID

import psycopg

from outlay.accounts import addresses, attempts, audit, mails, outbox, passwords, sessions
from outlay.accounts.errors import NotAdmitted, NotConfirmed
from outlay.accounts.origin import Origin
from outlay.accounts.process import Accounts
from outlay.accounts.sessions import Cookie, Tokens
from outlay.db import session

Opened = TypeVar("Opened", Cookie, Tokens)

_SUSPICIOUS = 3  # wrong passwords before a right one, of which the owner is told


@dataclass(frozen=True)
class _Recognised:
    """Whose password was right, and what was compared: it has to be theirs still when the session is opened."""

    user_id: UUID
    kept: str


def log_in_browser(accounts: Accounts, *, email: str, password: str, origin: Origin) -> Cookie:
    """Open a browser's session.

    Raises:
        NotAdmitted: the address or the password is wrong, or the account is disabled.
        NotConfirmed: the account's address has yet to be confirmed.
        TooManyAttempts: see there.
    """
    return _logged_in(accounts, email, password, origin, partial(sessions.open_browser, origin=origin))


def log_in_program(accounts: Accounts, *, email: str, password: str, origin: Origin) -> Tokens:
    """Open a program's session. Errors as of `log_in_browser`."""

    def opened(connection: psycopg.Connection, user_id: UUID) -> Tokens:
        return sessions.open_program(connection, accounts, user_id, origin)

    return _logged_in(accounts, email, password, origin, opened)


def log_out(accounts: Accounts, user_id: UUID, session_id: UUID, origin: Origin) -> None:
    """End this session."""
    with session("auth", using=accounts.settings) as connection:
        if sessions.end(connection, user_id, [session_id], because="logged out"):
            audit.record(connection, "logged_out", origin, user_id=user_id, session_id=session_id)


def _logged_in(
    accounts: Accounts,
    email: str,
    password: str,
    origin: Origin,
    opening: Callable[[psycopg.Connection, UUID], Opened],
) -> Opened:
    with session("auth", using=accounts.settings, autocommit=True) as connection:
        user = _recognised(connection, accounts, email, password, origin)
        with connection.transaction():
            _still(connection, user)
            opened = opening(connection, user.user_id)
            audit.record(connection, "logged_in", origin, user_id=user.user_id, session_id=opened.session_id)
    outbox.await_live(user.user_id, accounts.settings)
    return opened


def _recognised(
    connection: psycopg.Connection, accounts: Accounts, email: str, password: str, origin: Origin
) -> _Recognised:
    key = _key(email)
    attempts.admit(connection, attempts.LOGINS_FROM_ONE, origin.place)
    attempts.admit(connection, attempts.LOGINS_OF_ONE, key, origin.place)
    failures = attempts.admit(connection, attempts.LOGINS_OF_ALL, key) - 1
    row = connection.execute(
        "SELECT user_id, email, password_hash, disabled_at, sign_up IS NOT NULL FROM auth.users WHERE email_key = %s",
        (key,),
    ).fetchone()
    user_id, known, kept, disabled_at, unconfirmed = row or (None, "", passwords.NOBODY, None, False)
    if not passwords.matches(kept, password) or user_id is None or disabled_at is not None:
        with connection.transaction():
            audit.record(connection, "login_refused", origin, user_id=user_id, address_hmac=_hidden(accounts, key))
        raise _wrong()
    if unconfirmed:
        raise NotConfirmed(
            "confirm the address first, with the code that was sent there; signing up again sends another"
        )
    attempts.forgive(connection, attempts.LOGINS_OF_ALL, key)
    attempts.forgive(connection, attempts.LOGINS_OF_ONE, key, origin.place)
    if passwords.outdated(kept):
        kept = _rehashed(connection, user_id, kept, password)
    if failures >= _SUSPICIOUS:
        mail = mails.guessed_at(accounts.settings.public_url, origin.address or "this machine", failures)
        accounts.post.send(mail, to=known)
    return _Recognised(user_id, kept)


def _rehashed(connection: psycopg.Connection, user_id: UUID, kept: str, password: str) -> str:
    fresh = passwords.hashed(password)
    connection.execute(
        "UPDATE auth.users SET password_hash = %s WHERE user_id = %s AND password_hash = %s", (fresh, user_id, kept)
    )
    return fresh


def _still(connection: psycopg.Connection, user: _Recognised) -> None:
    """Refuse a login whose password was changed, or whose account was disabled, while it was compared."""
    if not connection.execute(
        "SELECT 1 FROM auth.users WHERE user_id = %s AND password_hash = %s AND disabled_at IS NULL FOR SHARE",
        (user.user_id, user.kept),
    ).fetchone():
        raise _wrong()


def _wrong() -> NotAdmitted:
    return NotAdmitted("the address or the password is wrong")


def _key(email: str) -> str:
    """What the account is looked for by. What is no address may be a password in the wrong field: it is hidden."""
    try:
        return addresses.parsed(email).key
    except addresses.NotAnAddress:
        return hashlib.sha256(email.encode(errors="replace")).hexdigest()


def _hidden(accounts: Accounts, key: str) -> str:
    """Two refusals of one address look alike, and neither tells which it was, without the key of ``secrets.json``."""
    secret = accounts.settings.auth_key.get_secret_value().encode()
    return hmac.digest(secret, f"outlay audit {key}".encode(), hashlib.sha256).hex()
