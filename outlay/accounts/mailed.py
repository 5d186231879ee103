"""Codes that go out by mail and come back once: that an address is its owner's, or that a password may be chosen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import psycopg

from outlay.accounts import opaque
from outlay.accounts.errors import NotAdmitted

Purpose = Literal["confirm", "reset"]
_GOOD_FOR: dict[Purpose, timedelta] = {"confirm": timedelta(days=1), "reset": timedelta(hours=1)}


def issue(connection: psycopg.Connection, user_id: UUID, purpose: Purpose) -> str:
    """A new code; those before it, for the same purpose, are good no more."""
    withdraw(connection, user_id, purpose)
    code = opaque.new("outlay_mail_")
    connection.execute(
        "INSERT INTO auth.mailed_tokens (token_hash, user_id, purpose, expires_at) VALUES (%s, %s, %s, %s)",
        (opaque.digest(code), user_id, purpose, datetime.now(UTC) + _GOOD_FOR[purpose]),
    )
    return code


def redeem(connection: psycopg.Connection, code: str, purpose: Purpose) -> UUID:
    """Whose code it is; it is good no more, once the caller's transaction is committed.

    Raises:
        NotAdmitted: it was used, is over, or never was.
    """
    given = {"hash": opaque.digest(code), "purpose": purpose, "now": datetime.now(UTC)}
    found = connection.execute(  # the account is locked before its codes, as everywhere
        "SELECT u.user_id FROM auth.mailed_tokens AS t INNER JOIN auth.users AS u ON u.user_id = t.user_id "
        "WHERE t.token_hash = %(hash)s FOR UPDATE OF u",
        given,
    ).fetchone()
    used = connection.execute(
        "UPDATE auth.mailed_tokens SET used_at = %(now)s "
        "WHERE token_hash = %(hash)s AND purpose = %(purpose)s AND used_at IS NULL AND expires_at > %(now)s",
        given,
    ).rowcount
    if not used:
        raise NotAdmitted("the code is not good, or no more: ask for a new one")
    return found[0]


def withdraw(connection: psycopg.Connection, user_id: UUID, purpose: Purpose) -> None:
    connection.execute(
        "UPDATE auth.mailed_tokens SET used_at = %s WHERE user_id = %s AND purpose = %s AND used_at IS NULL",
        (datetime.now(UTC), user_id, purpose),
    )
