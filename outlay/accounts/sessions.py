"""Sessions: a browser's cookie, or a program's family of refresh tokens.

A browser's ends after a week without use and a month in all; a program's after a week without a refresh and three
months in all. Each use of a refresh token makes the next one; a second use of the same one ends the whole family, since
one of the two who used it stole it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ingestion.events import new_id
from outlay.accounts import access_tokens, audit, mails, opaque
from outlay.accounts.errors import NotAdmitted
from outlay.accounts.origin import Origin
from outlay.accounts.process import Accounts
from outlay.db import session

Kind = Literal["browser", "program"]
LIFETIME: dict[Kind, timedelta] = {"browser": timedelta(days=30), "program": timedelta(days=90)}
IDLE = timedelta(days=7)
"""Without use, a session ends."""
_SEEN = timedelta(minutes=1)  # how exact `seen_at` is: each request would otherwise write


@dataclass(frozen=True)
class Session:
    """One session, as its owner sees it. Instants are UTC."""

    session_id: UUID
    kind: Kind
    address: str | None
    client: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Tokens:
    """What a program holds: the refresh token is good for one use."""

    session_id: UUID
    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True)
class Cookie:
    """What a browser holds."""

    session_id: UUID
    secret: str
    expires_at: datetime


def open_browser(connection: psycopg.Connection, user_id: UUID, origin: Origin) -> Cookie:
    secret = opaque.new("outlay_session_")
    session_id, expires_at = _open(connection, "browser", user_id, origin, secret)
    return Cookie(session_id, secret, expires_at)


def open_program(connection: psycopg.Connection, accounts: Accounts, user_id: UUID, origin: Origin) -> Tokens:
    session_id, expires_at = _open(connection, "program", user_id, origin, None)
    return _tokens(connection, accounts, user_id, session_id, expires_at)


def refresh(accounts: Accounts, token: str, origin: Origin) -> Tokens:
    """Trade a refresh token for an access token and the next refresh token.

    Raises:
        NotAdmitted: it is over, ended, or never was; or it was used before, which ends its session.
    """
    stolen_from = None
    with session("auth", using=accounts.settings) as connection:
        found = connection.execute(
            "SELECT r.session_id, r.used_at, r.expires_at, s.user_id, s.expires_at, s.ended_at, u.email, u.disabled_at "
            "FROM auth.refresh_tokens AS r INNER JOIN auth.sessions AS s ON s.session_id = r.session_id "
            "INNER JOIN auth.users AS u ON u.user_id = s.user_id WHERE r.token_hash = %s FOR UPDATE OF r, s",
            (opaque.digest(token),),
        ).fetchone()
        if found is not None:
            session_id, used_at, good_until, user_id, expires_at, ended_at, email, disabled_at = found
            now = datetime.now(UTC)
            if ended_at is None and disabled_at is None and used_at is None and now < min(good_until, expires_at):
                connection.execute(
                    "UPDATE auth.refresh_tokens SET used_at = %s WHERE token_hash = %s", (now, opaque.digest(token))
                )
                connection.execute("UPDATE auth.sessions SET seen_at = %s WHERE session_id = %s", (now, session_id))
                return _tokens(connection, accounts, user_id, session_id, expires_at)
            if used_at is not None and ended_at is None:
                end(connection, user_id, [session_id], because="refresh token used twice")
                audit.record(connection, "refresh_token_reused", origin, user_id=user_id, session_id=session_id)
                stolen_from = email
    if stolen_from:
        accounts.post.send(mails.stolen(accounts.settings.public_url, origin.address or "this machine"), to=stolen_from)
    raise NotAdmitted("the refresh token is not good, or no more: log in again")


def live_sessions(connection: psycopg.Connection, user_id: UUID) -> list[Session]:
    """The sessions of a person that are still good, the last used first."""
    with connection.cursor(row_factory=class_row(Session)) as cursor:
        return cursor.execute(
            "SELECT session_id, kind, address, client, created_at, seen_at, expires_at FROM auth.sessions "
            "WHERE user_id = %(user)s AND ended_at IS NULL AND expires_at > %(now)s AND seen_at > %(idle)s "
            "ORDER BY seen_at DESC",
            {"user": user_id, "now": datetime.now(UTC), "idle": datetime.now(UTC) - IDLE},
        ).fetchall()


def revoke(user_id: UUID, session_id: UUID, *, by: UUID, origin: Origin) -> bool:
    """End one of a person's sessions; whether it was open."""
    with session("auth") as connection:
        ended = end(connection, user_id, [session_id], because="ended by its owner")
        if ended:
            audit.record(connection, "session_ended", origin, user_id=user_id, session_id=by, ended=str(session_id))
        return bool(ended)


def revoke_others(user_id: UUID, *, by: UUID, origin: Origin) -> int:
    """End all of a person's sessions but the one that asks for it; returns how many were open."""
    with session("auth") as connection:
        ended = end_others(connection, user_id, by, because="ended by its owner")
        audit.record(connection, "other_sessions_ended", origin, user_id=user_id, session_id=by, count=str(ended))
        return ended


def end(connection: psycopg.Connection, user_id: UUID, session_ids: list[UUID] | None = None, *, because: str) -> int:
    """End sessions of this person, all where none are named; returns how many were open. Their tokens end with them."""
    return connection.execute(
        "UPDATE auth.sessions SET ended_at = %(now)s, ended_because = %(because)s "
        "WHERE user_id = %(user)s AND ended_at IS NULL AND (%(ids)s::uuid[] IS NULL OR session_id = ANY(%(ids)s))",
        {"now": datetime.now(UTC), "because": because, "user": user_id, "ids": session_ids},
    ).rowcount


def end_others(connection: psycopg.Connection, user_id: UUID, kept: UUID | None, *, because: str) -> int:
    """End all sessions of this person but one; returns how many were open."""
    return connection.execute(
        "UPDATE auth.sessions SET ended_at = %s, ended_because = %s "
        "WHERE user_id = %s AND ended_at IS NULL AND session_id IS DISTINCT FROM %s",
        (datetime.now(UTC), because, user_id, kept),
    ).rowcount


def user_of_cookie(connection: psycopg.Connection, secret: str) -> tuple[UUID, UUID] | None:
    """(user, session) of a browser's cookie, or None when it is not good. In autocommit."""
    return _seen(connection, "s.secret_hash = %(which)s", opaque.digest(secret))


def user_of_session(connection: psycopg.Connection, session_id: UUID) -> tuple[UUID, UUID] | None:
    """(user, session) of an access token's session, or None when it has ended. In autocommit."""
    return _seen(connection, "s.session_id = %(which)s", session_id)


def _seen(connection: psycopg.Connection, condition: str, which: bytes | UUID) -> tuple[UUID, UUID] | None:
    now = datetime.now(UTC)
    row = connection.execute(
        "SELECT s.user_id, s.session_id, s.seen_at FROM auth.sessions AS s "  # noqa: S608 (the condition is one of two)
        f"INNER JOIN auth.users AS u ON u.user_id = s.user_id WHERE {condition} AND s.ended_at IS NULL "
        "AND s.expires_at > %(now)s AND s.seen_at > %(idle)s AND u.disabled_at IS NULL",
        {"which": which, "now": now, "idle": now - IDLE},
    ).fetchone()
    if row is None:
        return None
    user_id, session_id, seen_at = row
    if now - seen_at > _SEEN:
        connection.execute("UPDATE auth.sessions SET seen_at = %s WHERE session_id = %s", (now, session_id))
    return user_id, session_id


def _open(
    connection: psycopg.Connection, kind: Kind, user_id: UUID, origin: Origin, secret: str | None
) -> tuple[UUID, datetime]:
    session_id, now = new_id(), datetime.now(UTC)
    connection.execute(
        "INSERT INTO auth.sessions (session_id, user_id, kind, secret_hash, address, client, created_at, seen_at, "
        "expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            *(session_id, user_id, kind, opaque.digest(secret) if secret else None),
            *(origin.address, origin.client, now, now, now + LIFETIME[kind]),
        ),
    )
    return session_id, now + LIFETIME[kind]


def _tokens(
    connection: psycopg.Connection, accounts: Accounts, user_id: UUID, session_id: UUID, expires_at: datetime
) -> Tokens:
    token = opaque.new("outlay_refresh_")
    connection.execute(
        "INSERT INTO auth.refresh_tokens (token_hash, session_id, expires_at) VALUES (%s, %s, %s)",
        (opaque.digest(token), session_id, min(datetime.now(UTC) + IDLE, expires_at)),
    )
    access = access_tokens.issue(accounts.ring, user_id=user_id, session_id=session_id)
    return Tokens(session_id, access, token, int(access_tokens.LIFETIME.total_seconds()))
