"""What is over is forgotten after a while: nobody's tries, codes, sessions and devices are kept for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from outlay.accounts import attempts
from outlay.db import session
from outlay.settings import Settings

KEPT = timedelta(days=90)
"""How long a session, token or code that is over stays to be looked at."""
_APPENDED = timedelta(days=7)
_UNCONFIRMED = timedelta(days=7)  # an address that may be a stranger's


def tidy(using: Settings) -> None:
    """Delete what is over. The audit log keeps that it was."""
    now = datetime.now(UTC)
    with session("auth", using=using) as connection:
        attempts.forget_old(connection, before=now - timedelta(days=1))
        for statement, before in (
            ("DELETE FROM auth.mailed_tokens WHERE expires_at < %s", now - KEPT),
            ("DELETE FROM auth.personal_tokens WHERE least(ended_at, expires_at) < %s", now - KEPT),
            ("DELETE FROM auth.sessions WHERE least(ended_at, expires_at) < %s", now - KEPT),
            ("DELETE FROM auth.invitations WHERE least(ended_at, expires_at) < %s", now - KEPT),
            ("DELETE FROM auth.outbox WHERE appended_at < %s", now - _APPENDED),
            ("DELETE FROM auth.users WHERE sign_up IS NOT NULL AND created_at < %s", now - _UNCONFIRMED),
        ):
            connection.execute(statement, (before,))
