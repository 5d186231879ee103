"""What whoever runs an installation sees and does about accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from outlay.accounts import addresses, audit, invitations, personal_tokens, sessions
from outlay.accounts.origin import COMMAND


class NoSuchAccount(LookupError):
    """No account has this address."""


@dataclass(frozen=True)
class Account:
    """One account. `state`: ``good``, ``unconfirmed`` or ``disabled``; `sessions`: how many are open."""

    user_id: UUID
    email: str
    state: str
    created_at: datetime
    seen_at: datetime | None
    sessions: int


def listed(connection: psycopg.Connection) -> list[Account]:
    """Every account, by address."""
    with connection.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(
            "SELECT u.user_id, u.email, CASE WHEN u.disabled_at IS NOT NULL THEN 'disabled' "
            "WHEN u.sign_up IS NOT NULL THEN 'unconfirmed' ELSE 'good' END AS state, u.created_at, "
            "max(s.seen_at) AS seen_at, count(s.session_id) FILTER (WHERE s.ended_at IS NULL AND s.expires_at > now() "
            "AND s.seen_at > now() - %s) AS sessions FROM auth.users AS u "
            "LEFT JOIN auth.sessions AS s ON s.user_id = u.user_id GROUP BY u.user_id ORDER BY u.email_key",
            (sessions.IDLE,),
        ).fetchall()


def disable(connection: psycopg.Connection, email: str) -> int:
    """Shut an account: nobody logs in to it; its sessions, tokens and invitations end. Returns how many sessions.

    Raises:
        NoSuchAccount: see there.
    """
    user_id = user_of(connection, email)
    connection.execute(
        "UPDATE auth.users SET disabled_at = %s WHERE user_id = %s AND disabled_at IS NULL",
        (datetime.now(UTC), user_id),
    )
    ended = sessions.end(connection, user_id, because="account disabled")
    personal_tokens.end_all(connection, user_id)
    invitations.end_all(connection, user_id)
    audit.record(connection, "account_disabled", COMMAND, user_id=user_id)
    return ended


def enable(connection: psycopg.Connection, email: str) -> None:
    """Open an account again. Errors as of `disable`."""
    user_id = user_of(connection, email)
    connection.execute("UPDATE auth.users SET disabled_at = NULL WHERE user_id = %s", (user_id,))
    audit.record(connection, "account_enabled", COMMAND, user_id=user_id)


def end_sessions(connection: psycopg.Connection, email: str | None) -> int:
    """End every session and token of an account, or of all; returns how many sessions. Errors as of `disable`."""
    people = [user_of(connection, email)] if email else [account.user_id for account in listed(connection)]
    ended = sum(sessions.end(connection, user_id, because="ended by the operator") for user_id in people)
    for user_id in people:
        personal_tokens.end_all(connection, user_id)
        invitations.end_all(connection, user_id)
    audit.record(connection, "sessions_ended", COMMAND, user_id=people[0] if email else None, count=str(ended))
    return ended


def user_of(connection: psycopg.Connection, email: str, *, good: bool = False) -> UUID:
    """Whose account it is; with `good`, one that can be logged in to. Errors as of `disable`."""
    try:
        key = addresses.parsed(email).key
    except addresses.NotAnAddress as error:
        raise NoSuchAccount(str(error)) from None
    row = connection.execute(
        "SELECT user_id FROM auth.users WHERE email_key = %s AND (NOT %s OR disabled_at IS NULL AND sign_up IS NULL)",
        (key, good),
    ).fetchone()
    if row is None:
        raise NoSuchAccount(f"no account has the address {email}: `outlay accounts list`")
    return row[0]
