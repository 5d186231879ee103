"""Compares live, message by message, with what the oracle says of the log."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zlib import crc32

import psycopg
from confluent_kafka import Consumer, Message, TopicPartition

from ingestion.codec import Codec
from ingestion.headers import headers_of
from ingestion.projection.log import Partition
from tests.chaos.fuzz_oracle import (
    EVENT,
    TRANSACTION,
    Oracle,
    as_text,
    event_row,
    from_jsonb,
    headers_of_letter,
)

AT_ONCE = 1_000  # messages that are compared together
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

REASONS = {
    "a tombstone": "null value",
    "not in the framing": "expected magic byte 0",
    "an unknown schema id": "is not in the registry",
    "a schema that cannot be used": "cannot be used",
    "another topic's schema": r"expected outlay\.events\.\w+, got",
    "bytes left over": "left over",
    "a key that no index holds": "live's totals take",
    "NUL": "NUL character",
    "a length out of range": "expected a length",
    "a number out of range": "expected a number of|expected an integer",
    "a symbol or type out of range": "numbered from 0",
    "a decimal out of range": "expected a decimal|digits before the point",
    "not a UUID": "UUID of 36",
    "not a boolean": "expected a boolean",
    "not UTF-8": "UnicodeDecodeError",
    "a day or instant out of range": "date value|out of range: |ordinal|year|integer is greater|OverflowError",
    "cut short": "EOFError|IndexError",
}
"""What kinds of reasons there are, and how to know them; the first that fits."""
_REASONS = {name: re.compile(pattern) for name, pattern in REASONS.items()}


def kind_of(reason: str) -> str:
    return next((name for name, pattern in _REASONS.items() if pattern.search(reason)), f"another: {reason}")


@dataclass
class Sent:
    """What was sent to a partition, in order: what kind it was, and a checksum of its value."""

    begin: int = 0
    kinds: array[int] = field(default_factory=lambda: array("B"))
    sums: array[int] = field(default_factory=lambda: array("I"))


@dataclass
class Findings:
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(kind of message, decision or "dead letter") to messages."""
    reasons: Counter[str] = field(default_factory=Counter)
    current: Counter[str] = field(default_factory=Counter)
    """Rows of the current state that were compared, by entity."""
    failures: list[str] = field(default_factory=list)
    failed: int = 0

    def fail(self, text: str) -> None:
        self.failed += 1
        if len(self.failures) < 20:
            self.failures.append(text)


def check(
    *,
    bootstrap: str,
    codec: Codec,
    dsn: str,
    sent: Mapping[Partition, Sent],
    kinds: list[str],
    topic_ids: Mapping[str, str],
) -> Findings:
    """Compare everything that was sent. The database is the caller's own: indexes are added to it."""
    findings = Findings()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table in ("events", "transactions", "entities"):
            connection.execute(f'CREATE INDEX ON live.{table} (topic_id, partition, "offset")')
        connection.execute("ANALYZE live.events, live.transactions, live.transaction_lines, live.entities")
        oracle = Oracle(codec)
        for place, of_it in sent.items():
            oracle.begin()
            position = 0
            for messages in _read(bootstrap, place, of_it.begin, len(of_it.kinds)):
                _compare(findings, oracle, connection, topic_ids[place.topic], place, messages, of_it, position, kinds)
                position += len(messages)
            _compare_current(findings, oracle, connection, topic_ids[place.topic], place)
        _compare_totals(findings, connection, sum(len(of_it.kinds) for of_it in sent.values()))
    return findings


def _read(bootstrap: str, place: Partition, begin: int, count: int) -> Iterator[list[Message]]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "fuzz",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "queued.max.messages.kbytes": 16_384,
        }
    )
    consumer.assign([TopicPartition(*place, begin)])
    try:
        left = count
        while left:
            messages = consumer.consume(min(left, AT_ONCE), 30)
            if not messages or any(message.error() for message in messages):
                raise RuntimeError(f"the log of {place} cannot be read again: {[m.error() for m in messages][:1]}")
            left -= len(messages)
            yield messages
    finally:
        consumer.close()


def _compare(
    findings: Findings,
    oracle: Oracle,
    connection: psycopg.Connection,
    topic_id: str,
    place: Partition,
    messages: list[Message],
    sent: Sent,
    position: int,
    kinds: list[str],
) -> None:
    between = (topic_id, place.partition, messages[0].offset(), messages[-1].offset())
    where = 'topic_id = %s AND partition = %s AND "offset" BETWEEN %s AND %s'
    columns = ", ".join("state::text" if name == "state" else name for name in EVENT)
    events: dict[int, tuple] = {}
    for offset, *row in connection.execute(
        f'SELECT "offset", decision, logged_at, topic, {columns} FROM live.events WHERE {where}',  # noqa: S608
        between,
    ):
        if offset in events:
            findings.fail(f"{place} {offset}: it is twice in live.events")
        events[offset] = tuple(row)
    letters = {
        row[0]: row[1:]
        for row in connection.execute(
            f'SELECT "offset", topic, logged_at, key, value, headers, reason FROM live.dead_letters WHERE {where}',  # noqa: S608
            between,
        )
    }
    for number, message in enumerate(messages, start=position):
        offset, value, kind = message.offset(), message.value(), kinds[sent.kinds[number]]
        expected = oracle.expect(place.topic, value)
        found, letter = events.pop(offset, None), letters.pop(offset, None)
        findings.outcomes[kind, expected.decision or "dead letter"] += 1
        logged_at = _EPOCH + timedelta(milliseconds=message.timestamp()[1])
        problem = None
        if crc32(value or b"") != sent.sums[number]:
            problem = "Kafka has other bytes than were sent"
        elif (found is None) == (letter is None):
            problem = f"it is in {'neither' if found is None else 'both'} of events and dead letters"
        elif expected.decision is not None:
            row = (expected.decision, logged_at, place.topic, *event_row(place.topic, expected.event))
            if found is None:
                problem = f"expected {expected.decision}, got a dead letter: {letter[-1]}"
            elif (got := (*found[:-1], from_jsonb(found[-1]))) != row:
                problem = f"expected {row}, got {got}"
        else:
            findings.reasons[kind_of(expected.reason)] += 1
            row = (place.topic, logged_at, message.key(), value, headers_of(message))
            if letter is None:
                problem = f"expected a dead letter ({expected.reason}), got {found[0]}"
            elif (*letter[:4], headers_of_letter(letter[4])) != row:
                problem = f"expected {row}, got {letter}"
            elif letter[5] != expected.reason:
                problem = f"expected the reason {expected.reason!r}, got {letter[5]!r}"
        if problem is not None:
            shown = "null" if value is None else value[:3_000].hex()
            findings.fail(f"{place.topic}/{place.partition}/{offset} ({kind}): {problem[:3_000]}; its bytes: {shown}")
    for offset in [*events, *letters]:
        findings.fail(f"{place} {offset}: live holds it, and nobody sent it")


def _compare_current(
    findings: Findings, oracle: Oracle, connection: psycopg.Connection, topic_id: str, place: Partition
) -> None:
    """The current state of the partition's things is that of their last accepted events."""
    left = oracle.current
    where = "WHERE t.topic_id = %s AND t.partition = %s"
    if place.topic == "transaction":
        columns = ", ".join("t.attachments::text" if name == "attachments" else f"t.{name}" for name in TRANSACTION)
        query = (
            f"SELECT t.workspace_id, 'transaction', t.transaction_id, {columns}, "  # noqa: S608
            "(SELECT array_agg(ROW(l.line_id, l.category_id, l.amount, l.note) ORDER BY l.line_no) "
            "FROM live.transaction_lines AS l WHERE (l.workspace_id, l.transaction_id) = (t.workspace_id, "
            f"t.transaction_id)) FROM live.transactions AS t {where}"
        )
    else:
        query = (
            "SELECT t.workspace_id, t.entity, t.entity_id, t.version, t.operation, t.event_id, t.state::text "  # noqa: S608
            f"FROM live.entities AS t {where}"
        )
    with connection.transaction(), connection.cursor("current") as cursor:
        cursor.itersize = AT_ONCE
        cursor.execute(query, (topic_id, place.partition), binary=True)
        for workspace_id, entity, entity_id, *row in cursor:
            if place.topic == "transaction":
                for name, of in (("tags", tuple), ("attachments", lambda text: as_text(from_jsonb(text)))):
                    at = TRANSACTION.index(name)
                    row[at] = of(row[at])
                row[-1] = tuple(row[-1] or ())
            else:
                row[-1] = as_text(from_jsonb(row[-1]))
            findings.current[entity] += 1
            expected = left.pop((workspace_id, entity, entity_id), None)
            if expected != hash(tuple(row)):
                findings.fail(f"{place}: the current state of {entity} {entity_id} of {workspace_id} is {row}")
    for thing in left:
        findings.fail(f"{place}: there is no current state of {thing}")


def _compare_totals(findings: Findings, connection: psycopg.Connection, count: int) -> None:
    """The totals are what the current parts come to, and nothing else is in the view."""
    cells = "workspace_id, month, account_id, category_id, currency, kind"
    [(different,)] = connection.execute(
        f"SELECT count(*) FROM (SELECT {cells}, count(*) AS lines, sum(amount) AS amount FROM live.current_parts "  # noqa: S608
        f"GROUP BY {cells}) AS counted FULL JOIN live.monthly_totals AS kept USING ({cells}) "
        "WHERE coalesce(counted.lines, 0) <> coalesce(kept.lines, 0) "
        "OR coalesce(counted.amount, 0) <> coalesce(kept.amount, 0)"
    ).fetchall()
    if different:
        findings.fail(f"{different} cells of the totals are not what the current transactions come to")
    [(held,)] = connection.execute(
        "SELECT (SELECT count(*) FROM live.events) + (SELECT count(*) FROM live.dead_letters)"
    ).fetchall()
    if held != count:
        findings.fail(f"live holds {held} messages, {count} were sent")
