"""Secrets that mean nothing by themselves: cookies, refresh tokens, tokens of programs, what mails bring back.

The database keeps their hashes. They are 256 random bits, so that one pass of SHA-256 is enough. The beginning tells
what it is, to people and to programs that search repositories for lost ones.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Literal

Prefix = Literal["outlay_session_", "outlay_refresh_", "outlay_token_", "outlay_mail_", "outlay_invitation_"]


def new(prefix: Prefix) -> str:
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is kept of it."""
    return hashlib.sha256(secret.encode()).digest()
