"""What silver set aside because it broke a rule: looked at, corrected, or released as it is.

A correction is an `amended` event, made by the ledger as any other change. A release is a decision that silver keeps:
the next build publishes the event as it is, and so does every later making of silver from bronze.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from ingestion import named
from ingestion.events import derived_id, owner_of
from ingestion.place import Place
from ingestion.rules import RELEASABLE
from outlay.ledger.commands import Answer, Ledger

State = Literal["open", "released", "replaced", "unseen"]
"""`open`: live stands on it and gold goes without. `released`: somebody let it pass. `replaced`: it is not live's
current state, because a newer version came, or because it never was. `unseen`: live holds nothing of its thing."""

_WHO, _WHY = 200, 2_000  # characters
_NO_VERSION = -(2**31) - 1  # that an event can have: only a correction that was made before finds its answer


class NotQuarantined(LookupError):
    """Nothing in quarantine stands at the place."""

    def __init__(self, place: Place):
        super().__init__(f"nothing at {place} was set aside: `outlay quarantine list --state all` shows what was")


class NotReleasable(ValueError):
    """The event may not pass as it is; says why, and what can be done."""


class NotCorrectable(ValueError):
    """No change of a transaction would correct it; says why."""


class Broken(NamedTuple):
    """A rule that an event breaks, and what was expected and came."""

    rule: str
    detail: str


@dataclass(frozen=True)
class Release:
    """A decision that an event may pass although it breaks rules."""

    reason: str
    by: str
    at: datetime
    in_batch: int | None
    """The batch of silver that published the event; None until the next build."""


@dataclass(frozen=True)
class Quarantined:
    """An event that broke rules, where it stands in the log, and what became of it."""

    place: Place
    topic_id: str
    state: State
    workspace_id: UUID
    entity_id: UUID | None
    event_id: UUID | None
    version: int | None
    broken: tuple[Broken, ...]
    event: dict[str, Any]
    """Whole, as JSON has it."""
    batch_id: int
    quarantined_at: datetime
    release: Release | None


def listed(
    connection: psycopg.Connection,
    *,
    topic: str | None = None,
    rule: str | None = None,
    state: State | None = "open",
    limit: int = 50,
) -> list[Quarantined]:
    """At most `limit` events, the newest first; of every topic, rule and state where none is named."""
    return _events(
        connection,
        "WHERE (%(topic)s::text IS NULL OR topic = %(topic)s) AND (%(rule)s::text IS NULL OR %(rule)s = ANY (rules))"
        " AND (%(state)s::text IS NULL OR state = %(state)s)"
        ' ORDER BY batch_id DESC, topic_id, partition, "offset" DESC LIMIT %(limit)s',
        {"topic": topic, "rule": rule, "state": state, "limit": limit},
    )


def counts(connection: psycopg.Connection) -> dict[str, int]:
    """Rule -> how many open events break it; only rules that any breaks."""
    broken = sql.SQL("SELECT rule, count(*) FROM ({}) AS e CROSS JOIN unnest(rules) AS rule WHERE state = 'open'")
    counted = broken.format(_statement("events")) + sql.SQL(" GROUP BY rule ORDER BY rule")
    return dict(connection.execute(counted).fetchall())


def open_events(connection: psycopg.Connection) -> dict[str, int]:
    """Topic -> how many open events it has; only topics that have any."""
    counted = sql.SQL("SELECT topic, count(*) FROM ({}) AS e WHERE state = 'open' GROUP BY topic ORDER BY topic")
    return dict(connection.execute(counted.format(_statement("events"))).fetchall())


def find(connection: psycopg.Connection, place: Place) -> Quarantined:
    """What was set aside at the place; of a topic that was created again, in its newest log.

    Raises:
        NotQuarantined: nothing was.
    """
    found = _events(
        connection,
        'WHERE (topic, partition, "offset") = (%(topic)s, %(partition)s, %(offset)s) ORDER BY batch_id DESC LIMIT 1',
        place._asdict(),
    )
    if not found:
        raise NotQuarantined(place)
    return found[0]


def release(connection: psycopg.Connection, place: Place, *, by: str, reason: str) -> bool:
    """Let the event pass as it is, from the next build on. False when it was released before.

    Raises:
        NotQuarantined: nothing was set aside at the place.
        NotReleasable: without a reason; or it breaks a rule that figures depend on, or does not count in live.
    """
    if not reason.strip():
        raise NotReleasable("expected a reason why it is right as it is, got none")
    held = find(connection, place)
    if held.state == "released":
        return False
    fixed = [broken for broken in held.broken if broken.rule not in RELEASABLE]
    if fixed:
        said = "; ".join(f"{broken.rule}: {broken.detail}" for broken in fixed)
        raise NotReleasable(
            f"{place} cannot pass as it is, for figures depend on it ({said}): `outlay quarantine correct` changes it"
        )
    if held.state == "replaced":
        raise NotReleasable(f"{place} does not count, another version replaced it: there is nothing to release")
    if held.state == "unseen":
        raise NotReleasable(f"live does not hold {place}: see `outlay status` and `outlay dead-letters show {place}`")
    if connection.execute(_statement("in_two_logs"), vars(held)).fetchone()[0]:
        raise NotReleasable(
            f"{place} is of a topic that was created again, and its transaction of both: `outlay quarantine correct` it"
        )
    rules = [broken.rule for broken in held.broken]
    done = connection.execute(
        _statement("release"),
        {
            "topic_id": held.topic_id,
            **place._asdict(),
            "rules": rules,
            "by": by[:_WHO],
            "reason": reason.strip()[:_WHY],
        },
    )
    return done.rowcount == 1


def correct(ledger: Ledger, held: Quarantined, changes: Mapping[str, Any]) -> Answer:
    """Change the transaction that the event left in live. The same correction again is the same event.

    Args:
        changes: fields of `outlay.ledger.drafts.CHANGEABLE`.

    Raises:
        NotCorrectable: see there.
        Refused: it breaks a rule still, or a field cannot be changed; nothing was appended.
        KafkaUnavailable: see `Ledger.append`.
    """
    if held.place.topic != "transaction":
        raise NotCorrectable(f"{held.place} is no transaction: correct it where it came from, with a new version")
    if any(broken.rule == "workspace_given" for broken in held.broken):
        raise NotCorrectable(f"{held.place} is of no workspace, so that nobody owns it: record it anew in yours")
    answer = ledger.correct(
        held.workspace_id,
        held.entity_id,
        changes,
        expected_version=_NO_VERSION if held.state == "replaced" else held.version,
        actor_id=owner_of(held.workspace_id),
        source="app",
        event_id=derived_id(held.event_id, "correction", *(f"{name}={changes[name]}" for name in sorted(changes))),
    )
    if answer.decision == "stale":
        raise NotCorrectable(f"{held.place} does not count: version {answer.version} of its transaction replaced it")
    return answer


def _quarantined(row: dict[str, Any]) -> Quarantined:
    place = Place(row.pop("topic"), row.pop("partition"), row.pop("offset"))
    broken = tuple(map(Broken, row.pop("rules"), row.pop("details")))
    given = [row.pop(name) for name in ("reason", "released_by", "released_at", "released_in_batch")]
    return Quarantined(place=place, broken=broken, release=Release(*given) if given[2] else None, **row)


def _events(connection: psycopg.Connection, where: LiteralString, parameters: Mapping[str, Any]) -> list[Quarantined]:
    query = sql.SQL("SELECT * FROM ({}) AS e ").format(_statement("events")) + sql.SQL(where)
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_quarantined(row) for row in cursor.execute(query, parameters)]


@cache
def _statements() -> dict[str, str]:
    return named.statements(Path(__file__).with_suffix(".sql"))


def _statement(name: str) -> sql.SQL:
    return sql.SQL(_statements()[name])
