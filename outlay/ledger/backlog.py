"""How far the readers of the log are behind, and what none of them could read."""

from __future__ import annotations

from typing import TypedDict

import psycopg

from ingestion.contracts import TOPICS
from ingestion.dead_letters.letters import open_letters
from ingestion.landing.log import Log, Topic
from outlay.db import session
from outlay.settings import settings


class Backlog(TypedDict):
    """Messages of one topic."""

    unread: int
    """In the log, and not in the live view."""
    unlanded: int
    """In the log, and not in bronze."""
    dead_letters: int
    """Waiting for somebody's decision: `outlay dead-letters list`."""


def backlog() -> dict[str, Backlog]:
    """By topic, as of now.

    Raises:
        LandingError: Kafka does not answer, or has no such topic.
        psycopg.OperationalError: the database is away.
    """
    with Log(settings().bootstrap) as log, session("pipeline") as connection:
        topics = log.topics(TOPICS)
        ends = log.ends(topics)
        letters = open_letters(connection)
        return {
            topic.name: Backlog(
                unread=_behind(topic, ends, _places(connection, "live", topic)),
                unlanded=_behind(topic, ends, _places(connection, "bronze", topic)),
                dead_letters=letters.get(topic.name, 0),
            )
            for topic in topics
        }


_PLACES = {
    reader: f"SELECT partition, next_offset FROM {reader}.offsets WHERE topic = %s AND topic_id = %s"  # noqa: S608
    for reader in ("live", "bronze")
}


def _places(connection: psycopg.Connection, reader: str, topic: Topic) -> dict[int, int]:
    return dict(connection.execute(_PLACES[reader], (topic.name, topic.topic_id)).fetchall())


def _behind(topic: Topic, ends: dict[tuple[str, int], int], places: dict[int, int]) -> int:
    return sum(max(0, ends[topic.name, partition] - places.get(partition, 0)) for partition in topic.partitions)
