"""Another password: by somebody who knows the one they have, or with a code that was mailed to them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import psycopg

from outlay.accounts import addresses, attempts, audit, invitations, mailed, mails, passwords, personal_tokens, sessions
from outlay.accounts.errors import NotAdmitted, TooManyAttempts
from outlay.accounts.origin import Origin
from outlay.accounts.process import Accounts
from outlay.db import session


def change(
    accounts: Accounts,
    user_id: UUID,
    session_id: UUID,
    *,
    current: str,
    new: str,
    keep_other_sessions: bool,
    origin: Origin,
) -> None:
    """Change one's own password; the other sessions end unless they are to be kept.

    Raises:
        NotAdmitted: the current password is wrong. WeakPassword, TooManyAttempts: see there.
    """
    with session("auth", using=accounts.settings, autocommit=True) as connection:
        attempts.admit(connection, attempts.LOGINS_OF_ONE, str(user_id), origin.place)
        attempts.admit(connection, attempts.LOGINS_OF_ALL, str(user_id))
        email, kept = connection.execute(
            "SELECT email, password_hash FROM auth.users WHERE user_id = %s", (user_id,)
        ).fetchone()
        if not passwords.matches(kept, current):
            with connection.transaction():
                audit.record(connection, "password_change_refused", origin, user_id=user_id, session_id=session_id)
            raise NotAdmitted("the current password is wrong")
        passwords.check(new, about=(email,))
        attempts.forgive(connection, attempts.LOGINS_OF_ONE, str(user_id), origin.place)
        attempts.forgive(connection, attempts.LOGINS_OF_ALL, str(user_id))
        with connection.transaction():
            _set(connection, user_id, new, instead_of=kept)
            if not keep_other_sessions:
                sessions.end_others(connection, user_id, session_id, because="password changed")
                personal_tokens.end_all(connection, user_id)
                invitations.end_all(connection, user_id)
            audit.record(connection, "password_changed", origin, user_id=user_id, session_id=session_id)
    _tell(accounts, email, origin)


def ask(accounts: Accounts, *, email: str, origin: Origin) -> None:
    """Send a code to this address, if it has an account; nothing tells the caller whether it has.

    Raises:
        TooManyAttempts: from this place.
    """
    with session("auth", using=accounts.settings, autocommit=True) as connection:
        attempts.admit(connection, attempts.SIGN_UPS, origin.place)
    accounts.post.later(lambda: _send_code(accounts, email, origin))


def reset(accounts: Accounts, code: str, *, new: str, origin: Origin) -> None:
    """Set a password with the code that was mailed; every session ends, and every personal token.

    Raises:
        NotAdmitted: the code is not good. WeakPassword: see there; the code stays good.
        TooManyAttempts: from this place.
    """
    with session("auth", using=accounts.settings, autocommit=True) as connection:
        attempts.admit(connection, attempts.LOGINS_FROM_ONE, origin.place)
        with connection.transaction():
            user_id = mailed.redeem(connection, code, "reset")
            (email,) = connection.execute("SELECT email FROM auth.users WHERE user_id = %s", (user_id,)).fetchone()
            passwords.check(new, about=(email,))
            _set(connection, user_id, new)
            sessions.end(connection, user_id, because="password reset")
            personal_tokens.end_all(connection, user_id)
            invitations.end_all(connection, user_id)
            audit.record(connection, "password_reset", origin, user_id=user_id)
    _tell(accounts, email, origin)


def _send_code(accounts: Accounts, email: str, origin: Origin) -> None:
    with session("auth", using=accounts.settings, autocommit=True) as connection:
        try:
            key = addresses.parsed(email).key
            attempts.admit(connection, attempts.MAILS, key)
        except (addresses.NotAnAddress, TooManyAttempts):
            return
        with connection.transaction():
            row = connection.execute(
                "SELECT user_id, email, sign_up IS NOT NULL FROM auth.users "
                "WHERE email_key = %s AND disabled_at IS NULL FOR UPDATE",
                (key,),
            ).fetchone()
            if row is None:
                return
            user_id, known, unconfirmed = row
            code = mailed.issue(connection, user_id, "confirm" if unconfirmed else "reset")
            audit.record(connection, "code_mailed", origin, user_id=user_id)
    accounts.post.send((mails.confirm if unconfirmed else mails.reset)(accounts.settings.public_url, code), to=known)


def _set(connection: psycopg.Connection, user_id: UUID, new: str, *, instead_of: str | None = None) -> None:
    """Set the password, if it is still the one that was compared."""
    changed = connection.execute(
        "UPDATE auth.users SET password_hash = %(new)s, password_changed_at = %(now)s WHERE user_id = %(user)s "
        "AND (%(old)s::text IS NULL OR password_hash = %(old)s)",
        {"new": passwords.hashed(new), "now": datetime.now(UTC), "user": user_id, "old": instead_of},
    ).rowcount
    if not changed:
        raise NotAdmitted("the current password is wrong")
    mailed.withdraw(connection, user_id, "reset")


def _tell(accounts: Accounts, email: str, origin: Origin) -> None:
    accounts.post.send(mails.password_changed(accounts.settings.public_url, origin.address or "this machine"), to=email)
