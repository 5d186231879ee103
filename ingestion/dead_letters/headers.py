"""The headers that a dead letter travels with, to its own topic and back to the log."""

from __future__ import annotations

from ingestion.dead_letters.letters import REFUSED_BY_POSTGRESQL, Letter
from ingestion.place import Place

CONNECT = "__connect.errors."
"""Prefix of the headers that Kafka Connect's DeadLetterQueueReporter writes (KIP-298); values are text in UTF-8."""
TOPIC_ID = "outlay.topic.id"
"""Kafka's own id of the original topic: with it a place stays unique when a topic is created again."""
RETRIED_FROM = "outlay.retried.from"
"""On a retried event: the place of the dead letter that it was."""


def published(letter: Letter) -> list[tuple[str, bytes | None]]:
    """The letter's own headers, then what went wrong and where, as Kafka Connect's sinks say it.

    As there, they are added at the end: of a name that comes twice, the last one is ours.
    """
    stored = letter.reason.startswith(REFUSED_BY_POSTGRESQL)
    told = {
        f"{CONNECT}topic": letter.place.topic,
        f"{CONNECT}partition": letter.place.partition,
        f"{CONNECT}offset": letter.place.offset,
        f"{CONNECT}connector.name": "outlay-live",
        f"{CONNECT}task.id": 0,
        f"{CONNECT}stage": "TASK_PUT" if stored else "VALUE_CONVERTER",
        f"{CONNECT}class.name": "ingestion.projection.view.View" if stored else "ingestion.codec.Codec",
        f"{CONNECT}exception.class.name": "psycopg.DatabaseError" if stored else "ingestion.codec.Unreadable",
        f"{CONNECT}exception.message": letter.reason,
        TOPIC_ID: letter.topic_id,
    }
    return [*letter.headers, *((name, str(value).encode()) for name, value in told.items())]


def retried(letter: Letter) -> list[tuple[str, bytes | None]]:
    """The letter's own headers, then the place that it comes from."""
    return [*letter.headers, (RETRIED_FROM, str(letter.place).encode())]


def retried_from(letter: Letter) -> Place | None:
    """The letter that this one is a retry of, as its headers say."""
    for name, value in reversed(letter.headers):
        if name == RETRIED_FROM and value is not None:
            try:
                return Place.parse(value.decode("utf-8", "replace"))
            except ValueError:
                return None
    return None
