"""One message of the log, read: a row for live, or a dead letter with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Message

from ingestion.codec import Codec, Unreadable
from ingestion.events import ENVELOPE, NIL, thing
from ingestion.headers import headers_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENVELOPE = frozenset(ENVELOPE)

COLUMNS = {
    "topic": "text",
    "topic_id": "text",
    "partition": "int4",
    "offset": "int8",
    "logged_at": "timestamptz",
    "workspace_id": "uuid",
    "event_id": "uuid",
    "entity": "text",
    "entity_id": "uuid",
    "version": "int4",
    "operation": "text",
    "actor_id": "uuid",
    "source": "text",
    "external_id": "text",
    "correlation_id": "text",
    "occurred_at": "timestamptz",
    "recorded_at": "timestamptz",
    "state": "text",
}
"""The columns of a readable event's row, in order, with their PostgreSQL types."""


class Record(NamedTuple):
    """A message: `row` when it is an event, else `reason` says why it is a dead letter."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    logged_at: datetime
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    row: tuple | None
    reason: str | None

    def refused(self, reason: str) -> Record:
        """The same message as a dead letter."""
        return self._replace(row=None, reason=reason)


def read(message: Message, topic_id: str, codec: Codec) -> Record:
    """Decode one message.

    Raises:
        RegistryUnavailable: its schema is not known yet and the registry does not answer.
    """
    topic, value = message.topic(), message.value()
    logged_at = _EPOCH + timedelta(milliseconds=message.timestamp()[1])
    place = (topic, topic_id, message.partition(), message.offset(), logged_at)
    original = (message.key(), value, headers_of(message))
    try:
        event = codec.decode(topic, value)
    except Unreadable as error:
        return Record(*place, *original, None, error.reason)
    return Record(*place, *original, row(*place, event), None)


def row(topic: str, topic_id: str, partition: int, offset: int, logged_at: datetime, event: Mapping[str, Any]) -> tuple:
    """The values of COLUMNS for an event at its place in the log."""
    return (
        *(topic, topic_id, partition, offset, logged_at),
        event["workspace_id"] or NIL,
        event["event_id"],
        *thing(topic, event),
        event["version"],
        event["operation"],
        event["actor_id"],
        event["source"],
        event["external_id"],
        event["correlation_id"],
        event["occurred_at"],
        event["recorded_at"],
        state(event),
    )


def state(event: Mapping[str, Any]) -> str:
    """The event's own fields as JSON: decimals as strings, ids and dates in ISO form."""
    own = {name: value for name, value in event.items() if name not in _ENVELOPE}
    return orjson.dumps(own, default=str).decode()
