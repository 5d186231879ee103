"""Whether Kafka is there at all: its client library says so only after the whole time that an answer may take."""

from __future__ import annotations

import socket

from confluent_kafka import KafkaError, KafkaException

_PATIENCE = 2.0  # seconds for a connection


def require(bootstrap: str) -> None:
    """Return when one of the bootstrap servers accepts a connection.

    Args:
        bootstrap: ``host:port``, several separated by commas, each perhaps with ``protocol://`` before it.

    Raises:
        KafkaException: none does.
    """
    said = "none is named"
    for server in bootstrap.split(","):
        host, _, port = server.strip().rpartition("://")[2].rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()
        except (OSError, ValueError) as error:
            said = f"{server.strip()}: {error}"
        else:
            return
    raise KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN, f"no broker accepts a connection, {said}"))
