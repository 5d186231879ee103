"""The test vectors that every implementation of the acceptance rule is run against."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from uuid import NAMESPACE_OID, UUID, uuid5

from ingestion.acceptance import Sight


@dataclass(frozen=True)
class Vector:
    """A log, in its order, and the decision on each event."""

    name: str
    events: tuple[Sight, ...]
    decisions: tuple[str, ...]

    def splits(self) -> Iterator[tuple[tuple[Sight, ...], ...]]:
        """The log in one batch, and cut into batches in every way: each must give the same decisions."""
        places = range(1, len(self.events))
        for count in range(len(self.events)):
            for cuts in combinations(places, count):
                bounds = (0, *cuts, len(self.events))
                yield tuple(self.events[a:b] for a, b in pairwise(bounds))


def acceptance() -> list[Vector]:
    """The vectors of acceptance.json; the names of events and things there become UUIDs."""
    logs = json.loads((Path(__file__).parent / "acceptance.json").read_text())
    return [
        Vector(
            name=log["name"],
            events=tuple(Sight(_id(e["event_id"]), _id(e["entity_id"]), e["version"]) for e in log["events"]),
            decisions=tuple(e["decision"] for e in log["events"]),
        )
        for log in logs
    ]


def _id(name: str) -> UUID:
    return uuid5(NAMESPACE_OID, name)
