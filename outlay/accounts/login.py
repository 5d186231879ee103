"""Logging in: an address and a password become a session. A wrong one and an unknown one look, and take, the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

import psycopg

from outlay.accounts import addresses, attempts, audit, mails, outbox, passwords, sessions
from outlay.accounts.errors import NotAdmitted, NotConfirmed
from outlay.accounts.origin import Origin
from outlay.accounts.process import Accounts
from outlay.accounts.sessions import Cookie, Tokens
from outlay.db import session

_SUSPICIOUS = 3  # wrong passwords before a right one, of which the owner is told
_WAIT = 2.0  # seconds for the events of a new account to be in live


@dataclass(frozen=True)
class _User:
    user_id: UUID
    email: str


def log_in_browser(accounts: Accounts, *, email: str, password: str, origin: Origin) -> Cookie:
    """Open a browser's session.

    Raises:
        NotAdmitted: the address or the password is wrong, or the account is disabled.
        NotConfirmed: the account's address has yet to be confirmed.
        TooManyAttempts: see there.
    """
    with session("auth", using=accounts.settings, autocommit=True) as connection:
        user = _recognised(connection, accounts, email, password, origin)
        with connection.transaction():
            cookie = sessions.open_browser(connection, user.user_id, origin)
            audit.record(connection, "logged_in", origin, user_id=user.user_id, session_id=cookie.session_id)
    outbox.await_live(user.user_id, accounts.settings, seconds=_WAIT)
    return cookie


def log_in_program(accounts: Accounts, *, email: str, password: str, origin: Origin) -> Tokens:
    """Open a program's session. Errors as of `log_in_browser`."""
    with session("auth", using=accounts.settings, autocommit=True) as connection:
        user = _recognised(connection, accounts, email, password, origin)
        with connection.transaction():
            tokens = sessions.open_program(connection, accounts, user.user_id, origin)
            audit.record(connection, "logged_in", origin, user_id=user.user_id, session_id=tokens.session_id)
    outbox.await_live(user.user_id, accounts.settings, seconds=_WAIT)
    return tokens


def log_out(accounts: Accounts, user_id: UUID, session_id: UUID, origin: Origin) -> None:
    """End this session."""
    with session("auth", using=accounts.settings) as connection:
        if sessions.end(connection, user_id, [session_id], because="logged out"):
            audit.record(connection, "logged_out", origin, user_id=user_id, session_id=session_id)


def _recognised(connection: psycopg.Connection, accounts: Accounts, email: str, password: str, origin: Origin) -> _User:
    key = _key(email)
    attempts.admit(connection, attempts.LOGINS_FROM_ONE, origin.address)
    attempts.admit(connection, attempts.LOGINS_OF_ALL, key)
    failures = attempts.admit(connection, attempts.LOGINS_OF_ONE, key, origin.address) - 1
    row = connection.execute(
        "SELECT user_id, email, password_hash, disabled_at, sign_up IS NOT NULL FROM auth.users WHERE email_key = %s",
        (key,),
    ).fetchone()
    user_id, known, kept, disabled_at, unconfirmed = row or (None, "", passwords.NOBODY, None, False)
    if not passwords.matches(kept, password) or user_id is None or disabled_at is not None:
        with connection.transaction():
            audit.record(connection, "login_refused", origin, user_id=user_id, address_sha256=_hash(key))
        raise NotAdmitted("the address or the password is wrong")
    if unconfirmed:
        raise NotConfirmed(
            "confirm the address first, with the code that was sent to it; signing up again sends another"
        )
    attempts.forgive(connection, attempts.LOGINS_OF_ALL, key)
    attempts.forgive(connection, attempts.LOGINS_OF_ONE, key, origin.address)
    if passwords.outdated(kept):
        connection.execute(
            "UPDATE auth.users SET password_hash = %s WHERE user_id = %s AND password_hash = %s",
            (passwords.hashed(password), user_id, kept),
        )
    if failures >= _SUSPICIOUS:
        mail = mails.guessed_at(accounts.settings.public_url, origin.address or "this machine", failures)
        accounts.post.send(mail.subject, mail.text, to=known)
    return _User(user_id, known)


def _key(email: str) -> str:
    try:
        return addresses.compared(addresses.normalised(email))
    except addresses.NotAnAddress:
        return email.casefold()  # no account has it, and finding that out takes as long


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
