"""Where `live` stands in the log, and which log that is."""

from __future__ import annotations

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from ingestion.landing.errors import LogUnavailable
from ingestion.producer import KAFKA_LOG
from ingestion.projection.errors import TopicMissing
from ingestion.projection.log import Partition, Topic, describe
from ingestion.reach import require
from ingestion.replay.errors import ReplayError


def topics(connection: psycopg.Connection, bootstrap: str) -> dict[str, Topic]:
    """The topics that live was built from, which are those that Kafka has.

    Raises:
        ReplayError: live was built from nothing yet, or from another log.
        LogUnavailable: Kafka does not answer.
    """
    try:
        require(bootstrap)
        found = describe(AdminClient({"bootstrap.servers": bootstrap}, logger=KAFKA_LOG))
    except TopicMissing as error:
        raise ReplayError(str(error)) from None
    except KafkaException as error:
        raise LogUnavailable(
            f"Kafka at {bootstrap} does not answer ({error.args[0].str()}): see `outlay status`, then run it again"
        ) from None
    rows = connection.execute("SELECT topic, topic_id, count(*) FROM live.offsets GROUP BY 1, 2 ORDER BY 1, 2")
    built = {(topic, topic_id, partitions) for topic, topic_id, partitions in rows}
    if not built:
        raise ReplayError("live.offsets is empty: there is nothing to replay before `outlay live` has run")
    kafkas = {(name, topic.topic_id, topic.partitions) for name, topic in found.items()}
    if built != kafkas:
        said = "; ".join(
            f"{who} has {topic} with id {topic_id} and {partitions} partitions"
            for who, which in (("live", built - kafkas), ("Kafka", kafkas - built))
            for topic, topic_id, partitions in sorted(which)
        )
        raise ReplayError(f"live was not built from the log that Kafka has now ({said}): restore the topic")
    return found


def positions(connection: psycopg.Connection) -> dict[Partition, int]:
    """The next offset of each partition."""
    rows = connection.execute("SELECT topic, partition, next_offset FROM live.offsets")
    return {Partition(topic, partition): offset for topic, partition, offset in rows}
