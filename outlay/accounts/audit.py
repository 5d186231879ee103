"""The audit log of accounts: who did what, when, from where. Append-only; each entry's hash covers the one before.

An entry is JSON with sorted keys and no spaces: seq, at (UTC), event, user_id, session_id, address, client, details.
It holds no secret, and of an address that nobody has an account for only its hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from outlay.accounts.origin import Origin

_LOCK = 0x6F75746C617941  # entries are numbered one after the other
_FIRST = bytes(32)


@dataclass(frozen=True)
class Verified:
    """A chain that holds: how many entries, and the newest one's hash, by which a later cut at its end is seen."""

    entries: int
    head: str


class Broken(Exception):
    """An entry is not what was written; the message says which one."""


def record(
    connection: psycopg.Connection,
    event: str,
    origin: Origin,
    *,
    user_id: UUID | None = None,
    session_id: UUID | None = None,
    **details: str,
) -> None:
    """Append an entry in the caller's transaction, as its last statement: others wait for it until the commit."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    last = connection.execute("SELECT seq, hash FROM auth.audit ORDER BY seq DESC LIMIT 1").fetchone()
    seq, before = (last[0] + 1, last[1]) if last else (1, _FIRST)
    entry = _canonical(
        {
            "seq": seq,
            "at": datetime.now(UTC).isoformat(),
            "event": event,
            "user_id": str(user_id) if user_id else None,
            "session_id": str(session_id) if session_id else None,
            "address": origin.address,
            "client": origin.client,
            "details": details,
        }
    )
    connection.execute(
        "INSERT INTO auth.audit (seq, entry, hash) VALUES (%s, %s, %s)", (seq, entry, _hash(before, entry))
    )


def entries(
    connection: psycopg.Connection, *, user_id: UUID | None = None, limit: int = 100
) -> Iterator[dict[str, Any]]:
    """The newest entries first, of one person or of all."""
    rows = connection.execute(
        "SELECT entry FROM auth.audit WHERE %(user)s::text IS NULL OR entry::jsonb ->> 'user_id' = %(user)s "
        "ORDER BY seq DESC LIMIT %(limit)s",
        {"user": str(user_id) if user_id else None, "limit": limit},
    )
    return (json.loads(entry) for (entry,) in rows)


def verify(connection: psycopg.Connection) -> Verified:
    """Follow the chain from its beginning.

    Raises:
        Broken: an entry was changed, removed or put in; the message names the first.
    """
    before, count = _FIRST, 0
    with connection.cursor(name="audit") as cursor:
        cursor.execute("SELECT seq, entry, hash FROM auth.audit ORDER BY seq")
        for seq, entry, found in cursor:
            count += 1
            if seq != count or json.loads(entry).get("seq") != seq:
                raise Broken(f"expected entry {count}, found entry {seq}: one was removed or put in")
            if found != _hash(before, entry):
                raise Broken(f"entry {seq} or its hash is not what was written")
            before = found
    return Verified(count, before.hex())


def _canonical(entry: dict[str, Any]) -> str:
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _hash(before: bytes, entry: str) -> bytes:
    return hashlib.sha256(before + entry.encode()).digest()
