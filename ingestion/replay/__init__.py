"""Live, built again from bronze and Kafka beside itself, compared, and swapped in while others read."""

from ingestion.replay.errors import ReplayError
from ingestion.replay.replay import Replayed, replay

__all__ = ["ReplayError", "Replayed", "replay"]
