"""A lane: one of several writers of the live view side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.projection.log import Partition


@dataclass(frozen=True)
class Lane:
    """One of so many."""

    number: int
    of: int

    def has(self, partition: int) -> bool:
        """Whether a partition of that number is this lane's, whatever its topic."""
        return partition % self.of == self.number

    def part(self, positions: Mapping[Partition, int]) -> dict[Partition, int]:
        """Those of the partitions that are this lane's."""
        return {place: offset for place, offset in positions.items() if self.has(place.partition)}
