"""Kafka to the live view in PostgreSQL.

One poll is one transaction: events, decisions, current state and offsets are committed together, so that each event
counts exactly once whatever dies in between.
"""

from ingestion.projection.errors import (
    Fenced,
    LogTruncated,
    OffsetsRewound,
    PartitionsAdded,
    ProjectionError,
    TopicReplaced,
)
from ingestion.projection.load import Load
from ingestion.projection.loop import run
from ingestion.projection.metrics import Metrics

__all__ = [
    "Fenced",
    "Load",
    "LogTruncated",
    "Metrics",
    "OffsetsRewound",
    "PartitionsAdded",
    "ProjectionError",
    "TopicReplaced",
    "run",
]
