"""The topics of the log, created once and for ever."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from ingestion.contracts import TOPICS
from outlay.stack.errors import StackError

CONFIG = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1", "cleanup.policy": "delete"}
LETTERS = CONFIG | {"max.message.bytes": str(2 << 20)}
"""A dead letter is its message with headers added: what the topic took, its `.dlq` must take as well."""


def wanted(partitions: int) -> dict[str, int]:
    """Every topic and its number of partitions: one for each contract, and one beside it for its dead letters."""
    return {topic: partitions for topic in TOPICS} | {f"{topic}.dlq": 1 for topic in TOPICS}


def create_topics(bootstrap: str, partitions: int) -> None:
    """Create the topics that are missing, with as many replicas as the cluster has brokers, up to three.

    Raises:
        StackError: a topic has another number of partitions: keys would change their partition, and lose their order.
    """
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})
    cluster = client.list_topics(timeout=30)
    replicas = min(len(cluster.brokers), 3)
    missing = []
    for topic, count in wanted(partitions).items():
        found = cluster.topics.get(topic)
        if found is None:
            config = LETTERS if topic.endswith(".dlq") else CONFIG
            missing.append(NewTopic(topic, count, replicas, config=config))
        elif len(found.partitions) != count:
            raise StackError(
                f"the topic {topic} has {len(found.partitions)} partitions, expected {count}: a key's events would "
                "lose their order; set OUTLAY_PARTITIONS to the topic's number, or copy it into a new topic"
            )
    for topic, created in (client.create_topics(missing, operation_timeout=30) if missing else {}).items():
        try:
            created.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise StackError(f"the topic {topic} could not be created: {error.args[0].str()}") from error
