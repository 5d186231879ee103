"""A live view of its own that begins where the log ends now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from ingestion.projection.log import Partition, describe
from outlay.settings import Settings
from tests.integration.databases import fresh_database


@contextmanager
def view_from_here(stack: Settings) -> Iterator[tuple[str, dict[Partition, int]]]:
    """The owner's DSN of an empty view, dropped at the end, and the offset that each partition begins at."""
    admin = AdminClient({"bootstrap.servers": stack.bootstrap})
    topics = describe(admin)
    places = [TopicPartition(topic, number) for topic in topics for number in range(topics[topic].partitions)]
    ends = admin.list_offsets({place: OffsetSpec.latest() for place in places})
    begins = {Partition(place.topic, place.partition): end.result().offset for place, end in ends.items()}
    with fresh_database(stack.dsn("owner")) as dsn:
        with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO live.offsets (topic, topic_id, partition, next_offset) VALUES (%s, %s, %s, %s)",
                [(place.topic, topics[place.topic].topic_id, place.partition, at) for place, at in begins.items()],
            )
        yield dsn, begins
