"""Personal access tokens: what somebody gives a program of theirs, with the scopes that it needs and an end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ingestion.events import new_id
from outlay.accounts import audit, opaque
from outlay.accounts.origin import Origin

Scope = Literal["read", "write"]
"""``read``: see what its owner sees. ``write``: also record and change expenses. Neither reaches the account itself."""
SCOPES: frozenset[Scope] = frozenset(get_args(Scope))
_SEEN = timedelta(minutes=1)


@dataclass(frozen=True)
class PersonalToken:
    """One token, without its secret, which is shown once, when it is made."""

    token_id: UUID
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime
    seen_at: datetime | None


def make(
    connection: psycopg.Connection,
    user_id: UUID,
    *,
    name: str,
    scopes: frozenset[Scope],
    days: int,
    session_id: UUID,
    origin: Origin,
) -> tuple[PersonalToken, str]:
    """A new token and its secret."""
    secret, now = opaque.new("outlay_token_"), datetime.now(UTC)
    made = PersonalToken(new_id(), name, sorted(scopes), now, now + timedelta(days=days), None)
    connection.execute(
        "INSERT INTO auth.personal_tokens (token_id, token_hash, user_id, name, scopes, created_at, expires_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (made.token_id, opaque.digest(secret), user_id, name, made.scopes, made.created_at, made.expires_at),
    )
    what = {"token_id": str(made.token_id), "scopes": " ".join(made.scopes)}
    audit.record(connection, "token_made", origin, user_id=user_id, session_id=session_id, **what)
    return made, secret


def listed(connection: psycopg.Connection, user_id: UUID) -> list[PersonalToken]:
    """The tokens that are still good, the newest first."""
    with connection.cursor(row_factory=class_row(PersonalToken)) as cursor:
        return cursor.execute(
            "SELECT token_id, name, scopes, created_at, expires_at, seen_at FROM auth.personal_tokens "
            "WHERE user_id = %s AND ended_at IS NULL AND expires_at > %s ORDER BY created_at DESC",
            (user_id, datetime.now(UTC)),
        ).fetchall()


def end(connection: psycopg.Connection, user_id: UUID, token_id: UUID, *, session_id: UUID, origin: Origin) -> bool:
    """End a token of this person; whether there was one."""
    ended = connection.execute(
        "UPDATE auth.personal_tokens SET ended_at = %s WHERE user_id = %s AND token_id = %s AND ended_at IS NULL",
        (datetime.now(UTC), user_id, token_id),
    ).rowcount
    if ended:
        audit.record(connection, "token_ended", origin, user_id=user_id, session_id=session_id, token_id=str(token_id))
    return bool(ended)


def end_all(connection: psycopg.Connection, user_id: UUID) -> None:
    """End every token of this person."""
    connection.execute(
        "UPDATE auth.personal_tokens SET ended_at = %s WHERE user_id = %s AND ended_at IS NULL",
        (datetime.now(UTC), user_id),
    )


def user_of(connection: psycopg.Connection, secret: str) -> tuple[UUID, frozenset[Scope]] | None:
    """(user, scopes) of a token, or None when it is not good. In autocommit."""
    now = datetime.now(UTC)
    row = connection.execute(
        "SELECT t.token_id, t.user_id, t.scopes, t.seen_at FROM auth.personal_tokens AS t "
        "INNER JOIN auth.users AS u ON u.user_id = t.user_id "
        "WHERE t.token_hash = %s AND t.ended_at IS NULL AND t.expires_at > %s AND u.disabled_at IS NULL",
        (opaque.digest(secret), now),
    ).fetchone()
    if row is None:
        return None
    token_id, user_id, scopes, seen_at = row
    if seen_at is None or now - seen_at > _SEEN:
        connection.execute("UPDATE auth.personal_tokens SET seen_at = %s WHERE token_id = %s", (now, token_id))
    return user_id, frozenset(scopes)
