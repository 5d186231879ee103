"""A bound on how often something may be tried, counted in the database: for all processes together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from outlay.accounts.errors import TooManyAttempts


@dataclass(frozen=True)
class Limit:
    """At most `attempts` in each `window`, of what the name says."""

    name: str
    attempts: int
    window: timedelta


LOGINS_OF_ONE = Limit("logins with one address from one place", 10, timedelta(minutes=15))
LOGINS_OF_ALL = Limit("logins with one address", 50, timedelta(minutes=15))
LOGINS_FROM_ONE = Limit("logins from one place", 100, timedelta(minutes=15))
SIGN_UPS = Limit("sign-ups from one place", 20, timedelta(hours=1))
INVITATIONS = Limit("invitations by one person", 50, timedelta(hours=1))
WORKSPACES = Limit("workspaces by one person", 20, timedelta(hours=1))
MAILS = Limit("mails to one address", 5, timedelta(hours=1))


def admit(connection: psycopg.Connection, limit: Limit, *of: str | None) -> int:
    """Count an attempt, in autocommit: before it is made, so that many at once do not slip through; returns which.

    Raises:
        TooManyAttempts: the window has had its attempts.
    """
    now = datetime.now(UTC)
    begins_at = _begins_at(limit, now)
    (count,) = connection.execute(
        "INSERT INTO auth.attempts AS a (bucket, begins_at, attempts) VALUES (%s, %s, 1) "
        "ON CONFLICT (bucket, begins_at) DO UPDATE SET attempts = a.attempts + 1 RETURNING attempts",
        (_bucket(limit, of), begins_at),
    ).fetchone()
    if count > limit.attempts:
        raise TooManyAttempts(max(1, int((begins_at + limit.window - now).total_seconds()) + 1))
    return count


def forgive(connection: psycopg.Connection, limit: Limit, *of: str | None) -> None:
    """Forget the attempts: the last one was right."""
    connection.execute("DELETE FROM auth.attempts WHERE bucket = %s", (_bucket(limit, of),))


def forget_old(connection: psycopg.Connection, *, before: datetime) -> None:
    """Delete what counts no more."""
    connection.execute("DELETE FROM auth.attempts WHERE begins_at < %s", (before,))


def _begins_at(limit: Limit, now: datetime) -> datetime:
    """When the window of the clock began that `now` is in; across its end, twice as many pass."""
    return now - timedelta(seconds=now.timestamp() % limit.window.total_seconds())


def _bucket(limit: Limit, of: tuple[str | None, ...]) -> bytes:
    """Hashed: what was tried may be a password in the wrong field."""
    return hashlib.sha256("\x1f".join((limit.name, *(part or "" for part in of))).encode()).digest()
